"""The page behind a Checkout session: a card number, a button, and what the bank said."""

from html import escape
from typing import Annotated, Any

from fastapi import FastAPI, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.local.stripe.account import Account
from cloud.local.stripe.checkout import complete
from cloud.local.stripe.faults import Fault

Json = dict[str, Any]

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Checkout</title>
<h1>{title}</h1>
<p role="alert">{said}</p>
<form method="post">
<label>Card number <input name="card_number" inputmode="numeric" autocomplete="cc-number" required></label>
<button>{button}</button>
</form>
<p><a href="{cancel}">Back</a></p>
</html>
"""


def add_pages(app: FastAPI, account: Account) -> None:
    """Serve the pages of the account's sessions."""

    def get_page(session_id: str) -> Response:
        with account.lock:
            return show(account, session_id, "")

    def post_page(session_id: str, card_number: Annotated[str, Form()]) -> Response:
        with account.lock:
            try:
                session = account.find("checkout.session", session_id)
                if session["status"] == "open":
                    complete(account, session, card_number)
            except Fault as fault:
                return show(account, session_id, str(fault), fault.status)
            return show(account, session_id, "")

    app.add_api_route("/c/pay/{session_id}", get_page, methods=["GET"], response_model=None)
    app.add_api_route("/c/pay/{session_id}", post_page, methods=["POST"], response_model=None)


def show(account: Account, session_id: str, said: str, status: int = 200) -> Response:
    """Show the session's page, or send its reader back when it is over."""
    session = account.objects.get(session_id)
    if session is None or session["object"] != "checkout.session":
        return HTMLResponse("<!doctype html><title>Checkout</title><p>There is no such session.</p>", 404)
    if session["status"] == "complete":
        target = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id)
        return RedirectResponse(target, 303)
    if session["status"] == "expired":
        return HTMLResponse("<!doctype html><title>Checkout</title><p>This session has expired.</p>", 410)
    amount = f"{session['amount_total'] / 100:.2f} {(session['currency'] or '').upper()}"
    is_saving = session["mode"] == "setup"
    page = PAGE.format(
        title="Save a card" if is_saving else escape(f"Pay {amount}"),
        said=escape(said),
        button="Save" if is_saving else "Pay",
        cancel=escape(session["cancel_url"] or session["success_url"]),
    )
    return HTMLResponse(page, status)
