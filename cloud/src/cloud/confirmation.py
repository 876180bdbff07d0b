"""The page behind a link in a letter: one button, so that a mail scanner that opens links uses none up."""

from html import escape

from fastapi.responses import HTMLResponse


def confirmation_page(action: str, token: str, button: str) -> HTMLResponse:
    """Return a page whose only button posts the token."""
    form = (
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="token" value="{escape(token)}"><button>{escape(button)}</button></form>'
    )
    return HTMLResponse(f"<!doctype html><html lang=en><title>{escape(button)}</title>{form}</html>")
