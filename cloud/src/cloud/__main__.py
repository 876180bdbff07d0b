"""`python -m cloud`: serve the cloud with the settings of the environment, or `backfill` the abuse service."""

import argparse
import sys

import uvicorn

from cloud.app import create_app
from cloud.backfill import command as backfill
from cloud.settings import Settings
from cloud.wiring import build_cloud


def main() -> int:
    """Serve until interrupted, or do the command that is named."""
    parser = argparse.ArgumentParser(prog="python -m cloud", description="Serve the cloud.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    backfill.add_arguments(commands.add_parser("backfill", help="tell the abuse service all that happened"))
    wish = parser.parse_args()
    settings = Settings()  # type: ignore[call-arg]  # the environment gives them
    if wish.command == "backfill":
        return backfill.run(settings, wish.since)
    # Uvicorn's own reading of forwarded headers is off: `cloud.network` trusts by the settings alone.
    # No access log: the query of a link's address holds its token.
    app = create_app(build_cloud(settings))
    uvicorn.run(app, host=wish.host, port=wish.port, proxy_headers=False, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
