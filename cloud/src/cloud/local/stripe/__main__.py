"""`python -m cloud.local.stripe`: serve Stripe on this machine until interrupted."""

import argparse

import uvicorn

from cloud.local.stripe.account import Account
from cloud.local.stripe.api import create_stripe
from cloud.local.stripe.webhooks import Webhooks


def main() -> None:
    """Serve on a loopback address."""
    parser = argparse.ArgumentParser(prog="python -m cloud.local.stripe", description="Serve Stripe on this machine.")
    parser.add_argument("--port", type=int, default=8002)
    parser.add_argument("--api-key", default="sk_test_local")
    parser.add_argument("--webhook-url", default="http://127.0.0.1:8000/stripe/webhook")
    parser.add_argument("--webhook-secret", default="whsec_test")
    wish = parser.parse_args()
    account = Account(
        api_key=wish.api_key,
        webhooks=Webhooks(wish.webhook_url, wish.webhook_secret),
        base_url=f"http://127.0.0.1:{wish.port}",
    )
    try:
        uvicorn.run(create_stripe(account), host="127.0.0.1", port=wish.port)
    finally:
        account.webhooks.close()


if __name__ == "__main__":
    main()
