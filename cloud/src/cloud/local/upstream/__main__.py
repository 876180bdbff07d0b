"""`python -m cloud.local.upstream`: serve the provider on this machine until interrupted."""

import argparse

import uvicorn

from cloud.local.upstream.app import create_upstream
from cloud.local.upstream.pace import Pace


def main() -> None:
    """Serve on a loopback address."""
    usual = Pace()
    parser = argparse.ArgumentParser(prog="python -m cloud.local.upstream", description="Serve a provider of models.")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--first-token-seconds", type=float, default=usual.first_token_seconds)
    parser.add_argument("--piece-seconds", type=float, default=usual.piece_seconds)
    parser.add_argument("--tokens-a-piece", type=int, default=usual.tokens_a_piece)
    wish = parser.parse_args()
    pace = Pace(
        first_token_seconds=wish.first_token_seconds,
        piece_seconds=wish.piece_seconds,
        tokens_a_piece=wish.tokens_a_piece,
    )
    uvicorn.run(create_upstream(pace), host="127.0.0.1", port=wish.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
