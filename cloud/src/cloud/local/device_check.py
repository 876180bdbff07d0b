"""A device check on this machine: takes what a browser shows of itself, and answers Stytch's fingerprint look-up.

What it knows of hardware is what the browser says; it judges by two things that Stytch judges by too: a browser that is
driven by a program, and hardware that shows itself too often.
"""

import time
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from secrets import compare_digest, token_urlsafe
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

Json = dict[str, Any]

SCRIPT = (resources.files("cloud.local") / "telemetry.js").read_text(encoding="utf-8")
HOUR_SECONDS = 3_600
TELEMETRY_MINUTES = 15


class Device(BaseModel):
    """What a browser shows of itself."""

    public_token: str
    hardware_fingerprint: str = Field(min_length=1, max_length=200)
    device_type: str = "DESKTOP"
    is_automated: bool = False


@dataclass(kw_only=True)
class DeviceChecker:
    """The check's memory; what a broken one would do can be set while it runs."""

    project_id: str
    secret: str
    public_token: str
    showings_an_hour: int = 30
    """Hardware that shows itself more often is banned."""
    shown: dict[str, Json] = field(default_factory=dict)
    showings: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    broken_answer: Response | None = None
    """Given instead of every look-up's answer."""

    async def take_device(self, device: Device) -> Response:
        """Look at a browser and return the telemetry id under which the verdict can be looked up."""
        if not compare_digest(device.public_token, self.public_token):
            return refuse(401, "unauthorized_credentials")
        telemetry_id = token_urlsafe(24)
        self.shown[telemetry_id] = self.answer(telemetry_id, device)
        return JSONResponse({"telemetry_id": telemetry_id})

    async def look_up(self, request: Request) -> Response:
        """Answer a look-up in Stytch's shape."""
        if self.broken_answer is not None:
            return self.broken_answer
        _, _, secret = request.headers.get("authorization", "").partition(" ")
        if not compare_digest(b64decode(secret), f"{self.project_id}:{self.secret}".encode()):
            return refuse(401, "unauthorized_credentials")
        found = self.shown.get(str((await request.json()).get("telemetry_id")))
        return refuse(404, "telemetry_id_not_found") if found is None else JSONResponse(found)

    def answer(self, telemetry_id: str, device: Device) -> Json:
        now = datetime.now(UTC)
        reasons = self.reasons(device)
        fingerprint = device.hardware_fingerprint
        return {
            "request_id": f"request-id-{token_urlsafe(12)}",
            "telemetry_id": telemetry_id,
            "fingerprints": {
                "network_fingerprint": f"network-{fingerprint}",
                "hardware_fingerprint": fingerprint,
                "browser_fingerprint": f"browser-{fingerprint}",
                "visitor_fingerprint": f"visitor-{fingerprint}",
            },
            "verdict": {
                "action": "BLOCK" if reasons else "ALLOW",
                "reasons": reasons,
                "detected_device_type": device.device_type,
                "is_authentic_device": not device.is_automated,
                "verdict_reason_overrides": [],
            },
            "external_metadata": {},
            "created_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "expires_at": f"{now + timedelta(minutes=TELEMETRY_MINUTES):%Y-%m-%dT%H:%M:%SZ}",
            "status_code": 200,
        }

    def reasons(self, device: Device) -> list[str]:
        """Return the warning flags, and count this showing."""
        now = time.monotonic()
        recent = [at for at in self.showings[device.hardware_fingerprint] if at > now - HOUR_SECONDS]
        self.showings[device.hardware_fingerprint] = [*recent, now]
        flags = {
            "HEADLESS_BROWSER_AUTOMATION": device.is_automated,
            "SMART_RATE_LIMIT_BANNED": len(recent) >= self.showings_an_hour,
        }
        return [flag for flag, is_raised in flags.items() if is_raised]


def create_device_check(checker: DeviceChecker) -> FastAPI:
    """Return the check's application."""
    app = FastAPI(title="device check")
    # Browsers come from the pages of whoever asks the check.
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_headers=["*"], allow_methods=["POST"])
    app.add_api_route("/telemetry.js", get_script, methods=["GET"], response_model=None)
    app.add_api_route("/telemetry", checker.take_device, methods=["POST"], response_model=None)
    app.add_api_route("/v1/fingerprint/lookup", checker.look_up, methods=["POST"], response_model=None)
    return app


def get_script() -> Response:
    """Hand out the script that a page shows its browser with."""
    return Response(SCRIPT, media_type="text/javascript")


def refuse(status: int, kind: str) -> Response:
    return JSONResponse({"status_code": status, "error_type": kind}, status)
