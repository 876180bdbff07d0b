"""Devices of an account: checked at each sign-in after the first, and when the newcomer's page asks for it."""

from cloud.accounts.device_check import DeviceVerdict
from cloud.accounts.models import CheckedDevice
from cloud.accounts.profile import existing_user
from cloud.administration.service import ban_automatically
from cloud.context import Cloud


def check_device(cloud: Cloud, user_id: str, telemetry_id: str | None) -> bool:
    """Look the device up, keep what was said, and say whether it was checked. A failed look-up changes nothing."""
    # No transaction is open while the outside party is asked.
    verdict = cloud.device_check.look_up(telemetry_id) if telemetry_id else None
    if verdict is not None:
        keep_verdict(cloud, user_id, verdict)
    return verdict is not None


def keep_verdict(cloud: Cloud, user_id: str, verdict: DeviceVerdict) -> None:
    """Remember the verdict, and ban who came on a device that smart rate limiting has banned."""
    with cloud.transaction() as work:
        existing_user(work, user_id)
        work.session.add(
            CheckedDevice(
                user_id=user_id,
                checked_at=work.now,
                session_id=verdict.session_id,
                verdict_action=verdict.action,
                is_authentic_device=verdict.is_authentic_device,
                device_type=verdict.device_type,
                hardware_fingerprint=verdict.hardware_fingerprint,
            )
        )
        if verdict.is_smart_rate_limited:
            ban_automatically(work, user_id, "device check said BLOCK because of smart rate limiting")
