"""How long a caller is willing to wait, whatever he says."""

import time

LONGEST_S = 3600.0


def seconds(given: float) -> float:
    """A time that can be waited for: an hour at most, and none for what is no time."""
    try:
        wanted = min(float(given), LONGEST_S)
    except (TypeError, ValueError):
        return 0.0
    except OverflowError:
        return LONGEST_S
    return wanted if wanted > 0 else 0.0


def time_limit(given: float) -> float:
    """The instant of the monotonic clock at which it is over."""
    return time.monotonic() + seconds(given)
