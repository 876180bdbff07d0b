"""The device check: an outside party that looks at the browser and says whether it is what it claims to be.

The browser shows itself to that party and gets a telemetry id, which it hands to us; we look the id up.
"""

import logging
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

logger = logging.getLogger(__name__)

LOOKUP_PATH = "/v1/fingerprint/lookup"
SMART_RATE_LIMIT = "SMART_RATE_LIMIT_BANNED"


@dataclass(frozen=True, kw_only=True)
class DeviceVerdict:
    """What the check said of the device in front of us."""

    action: str
    reasons: tuple[str, ...] = ()
    session_id: str | None = None
    is_authentic_device: bool | None = None
    device_type: str | None = None
    hardware_fingerprint: str | None = None

    @property
    def is_smart_rate_limited(self) -> bool:
        return self.action == "BLOCK" and SMART_RATE_LIMIT in self.reasons


class DeviceCheck(Protocol):
    """Looks a telemetry id up; `None` is "not checked", which is no verdict. It never raises."""

    def look_up(self, telemetry_id: str) -> DeviceVerdict | None: ...

    def close(self) -> None: ...


class NullDeviceCheck:
    """Checks nothing."""

    def look_up(self, telemetry_id: str) -> DeviceVerdict | None:
        return None

    def close(self) -> None:
        return


class StytchDeviceCheck:
    """Asks Stytch's device fingerprinting, or whoever answers as it does."""

    def __init__(self, url: str, project_id: str, secret: str, timeout_seconds: float) -> None:
        self._client = httpx.Client(base_url=url, auth=(project_id, secret), timeout=timeout_seconds)

    def look_up(self, telemetry_id: str) -> DeviceVerdict | None:
        """Return the verdict; an answer that is late, refused or not understood is no verdict."""
        try:
            answer = self._client.post(LOOKUP_PATH, json={"telemetry_id": telemetry_id})
            return read_verdict(answer.raise_for_status().json())
        except httpx.HTTPStatusError as error:
            logger.warning("a device was not checked: found status %s", error.response.status_code)
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            logger.warning("a device was not checked: %s", type(error).__name__)
        return None

    def close(self) -> None:
        self._client.close()


def read_verdict(answer: Any) -> DeviceVerdict:
    """Read Stytch's answer; only the action is needed, all else is taken where it is what it should be."""
    verdict, fingerprints = answer["verdict"], answer["fingerprints"]
    action, is_authentic = verdict["action"], verdict.get("is_authentic_device")
    if not isinstance(action, str):
        raise TypeError("verdict.action")
    return DeviceVerdict(
        action=action,
        reasons=tuple(map(str, verdict.get("reasons") or ())),
        session_id=text_or_none(answer.get("telemetry_id")),
        is_authentic_device=is_authentic if isinstance(is_authentic, bool) else None,
        device_type=text_or_none(verdict.get("detected_device_type")),
        hardware_fingerprint=text_or_none(fingerprints.get("hardware_fingerprint")),
    )


def text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
