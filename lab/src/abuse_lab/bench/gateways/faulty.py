"""An abuse service that fails, in three ways at three paths: ``python -m abuse_lab.bench.gateways.faulty PORT``."""

import asyncio
import sys

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response

SLOW_SECONDS = 30.0


async def answer_slowly(path: str) -> Response:
    """Answer after half a minute."""
    await asyncio.sleep(SLOW_SECONDS)
    return JSONResponse({})


async def answer_garbage(path: str) -> Response:
    """Answer with a page."""
    return HTMLResponse("<html>welcome</html>")


async def refuse(path: str) -> Response:
    """Refuse the token."""
    return JSONResponse({"error": {"code": "unauthorized", "message": "no such token"}}, 401)


def main(port: int) -> None:
    """Serve until terminated."""
    app = FastAPI()
    for way, answer in {"slow": answer_slowly, "garbage": answer_garbage, "refusing": refuse}.items():
        app.add_api_route(f"/{way}/{{path:path}}", answer, methods=["POST"], response_model=None)
    app.add_api_route("/healthz", refuse_nothing, methods=["GET"])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


async def refuse_nothing() -> dict[str, str]:
    """Say that it serves."""
    return {"status": "ok"}


if __name__ == "__main__":
    main(int(sys.argv[1]))
