"""`python -m cloud`: serve the cloud with the settings of the environment."""

import argparse

import uvicorn

from cloud.app import create_app
from cloud.settings import Settings
from cloud.wiring import build_cloud


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m cloud", description="Serve the cloud.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    wish = parser.parse_args()
    # Uvicorn's own reading of forwarded headers is off: `cloud.network` trusts by the settings alone.
    app = create_app(build_cloud(Settings()))  # type: ignore[call-arg]  # the environment gives them
    # No access log: the query of a link's address holds its token.
    uvicorn.run(app, host=wish.host, port=wish.port, proxy_headers=False, access_log=False)


if __name__ == "__main__":
    main()
