"""The device check: an outside party that looks at the browser and says whether it is what it claims to be."""

from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import Headers


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
        return self.action == "BLOCK" and "SMART_RATE_LIMIT_BANNED" in self.reasons


class DeviceCheck(Protocol):
    """Looks at a request's trusted headers; `None` is "not checked", which is no verdict."""

    def look(self, headers: Headers) -> DeviceVerdict | None: ...


class NullDeviceCheck:
    """Checks nothing."""

    def look(self, headers: Headers) -> DeviceVerdict | None:
        return None


class LocalDeviceCheck:
    """Reads the verdict from headers that an edge of ours has set."""

    def look(self, headers: Headers) -> DeviceVerdict | None:
        fingerprint = headers.get("x-device-fingerprint")
        if not fingerprint:
            return None
        action = headers.get("x-device-verdict", "ALLOW")
        return DeviceVerdict(
            action=action,
            reasons=tuple(filter(None, headers.get("x-device-reasons", "").split(","))),
            session_id=headers.get("x-device-session"),
            is_authentic_device=action != "BLOCK",
            device_type=headers.get("x-device-type"),
            hardware_fingerprint=fingerprint,
        )
