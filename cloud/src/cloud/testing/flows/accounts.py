"""Coming in, moving and going."""

from collections.abc import Callable

import httpx

from cloud.story.browser import Browser
from cloud.testing.flows.flow import Flows, Ready
from cloud.testing.flows.organizations import found, make_member
from cloud.testing.town import Town

FLOWS = Flows()


def coming_back(browser: Browser, address: str) -> Callable[[], httpx.Response]:
    """Return the act of coming back from a provider; the browser is closed with it."""

    def act() -> httpx.Response:
        with browser:
            return browser.come_back(address)

    return act


@FLOWS.shows(("auth.signup", "sign-up", "accounts.service.enter_by_link"))
def sign_up(town: Town) -> Ready:
    stranger = town.newcomer(email=f"{town.new_word()}@example.com")
    stranger.do("POST", "/auth/email-link", json={"email": stranger.email, "customer_source": "newsletter"})
    form = {"token": stranger.letter_token(stranger.email)}
    return Ready(
        act=lambda: stranger.send("POST", "/auth/email-link/confirm", data=form), names={"email": stranger.email}
    )


@FLOWS.shows(("auth.signin", "sign-in of a known user", "accounts.service.enter_by_link"))
def sign_in(town: Town) -> Ready:
    user = town.resident(fingerprint=f"hw-{town.new_word()}")
    user.do("POST", "/account/welcome-form", json={"linkedin_url": "https://linkedin.example.com/in/ada"})
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/cohorts", json={"cohort": "beta"})
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    organization = found(user)
    user.do("POST", "/auth/email-link", json={"email": user.email})
    form = {"token": user.letter_token(user.email), "telemetry_id": user.show_device()}
    names = {"user": user.kilo_user_id, "email": user.email, "organization": organization, "customer": customer}
    return Ready(
        act=lambda: user.send("POST", "/auth/email-link/confirm", data=form),
        names=names | {"device": user.fingerprint or ""},
    )


@FLOWS.shows(("auth.signin", "sign-in that links a new provider by e-mail", "accounts.service.enter_by_provider"))
def sign_in_by_new_provider(town: Town) -> Ready:
    user = town.resident()
    browser = Browser(person=user)
    address = browser.consent(browser.depart("google"), user.email)
    return Ready(act=coming_back(browser, address), names={"user": user.kilo_user_id, "email": user.email})


@FLOWS.shows(("auth.signin", "a signed-in user links a provider", "accounts.visits.take_profile"))
def link_provider(town: Town) -> Ready:
    user = town.newcomer()
    browser = Browser(person=user)
    user.kilo_user_id = sign_in_on_page(browser)
    address = browser.consent(browser.depart_to_link("github"), user.email)
    return Ready(act=coming_back(browser, address), names={"user": user.kilo_user_id, "email": user.email})


def sign_in_on_page(browser: Browser) -> str:
    """Sign in by Google and return the account's id."""
    browser.sign_in("google")
    return str(browser.send("GET", "/account").raise_for_status().json()["kilo_user_id"])


@FLOWS.shows(
    ("auth.signup", "SSO", "accounts.service.enter_by_provider"),
    ("org.member_added", "SSO auto-provision at sign-in", "organizations.sso.provision_member"),
)
def sign_on(town: Town) -> Ready:
    owner, domain = town.resident(), f"{town.new_word()}.example.com"
    organization = found(owner)
    owner.do("POST", f"/organizations/{organization}/sso-domains", json={"domain": domain})
    town.admin.do("POST", f"/admin/organizations/{organization}/sso-domains/{domain}/verify")
    email = f"ada@{domain}"
    browser = Browser(person=town.newcomer(email=email))
    address = browser.consent(browser.depart_to_sign_on(email), email)
    return Ready(
        act=coming_back(browser, address),
        names={"email": email, "domain": domain, "organization": organization},
    )


@FLOWS.shows(
    (
        "user.email_changed",
        "the user confirms a new address through a link",
        "accounts.email_change.confirm_email_change",
    )
)
def change_address(town: Town) -> Ready:
    user, email = town.resident(), f"{town.new_word()}@example.org"
    user.do("POST", "/account/email", json={"email": email})
    form = {"token": user.letter_token(email)}
    names = {"user": user.kilo_user_id, "email": email, "previous": user.email}
    return Ready(act=lambda: user.send("POST", "/account/email/confirm", data=form), names=names)


@FLOWS.shows(("user.email_changed", "an admin corrects one", "administration.routes.post_email_correction"))
def correct_address(town: Town) -> Ready:
    user, email = town.resident(), f"{town.new_word()}@example.org"
    wish, path = {"email": email, "reason": "misspelt"}, f"/admin/users/{user.kilo_user_id}/email"
    names = {"user": user.kilo_user_id, "email": email, "previous": user.email}
    return Ready(act=lambda: town.admin.send("POST", path, json=wish), names=names)


@FLOWS.shows(
    ("user.deleted", "GDPR removal", "accounts.deletion.delete_user"),
    ("org.member_removed", "user deleted", "organizations.service.end_all_memberships"),
)
def be_forgotten(town: Town) -> Ready:
    owner, user = town.resident(), town.resident()
    organization = found(owner)
    make_member(town, organization, user)
    return Ready(
        act=lambda: user.send("DELETE", "/account"),
        names={"user": user.kilo_user_id, "organization": organization},
    )
