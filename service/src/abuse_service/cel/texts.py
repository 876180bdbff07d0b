"""Text functions: the standard ones and those of CEL's strings extension. Places and sizes count code points."""

import functools
import re
from typing import Any

import re2

from abuse_service.cel.limits import MOST_ELEMENTS, MOST_REGEX, MOST_REGEX_PROGRAM, MOST_TEXT, short
from abuse_service.cel.values import CelFailure

_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_LOWER = {code: code + 32 for code in range(65, 91)}
_UPPER = {code: code - 32 for code in range(97, 123)}
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


def typed(value: Any, *kinds: type) -> Any:
    """The value, if it is of one of these types. Raises `CelFailure`."""
    if type(value) not in kinds:
        raise CelFailure("no function takes values of these types")
    return value


@functools.lru_cache(maxsize=256)
def pattern(text: str) -> Any:
    """A compiled pattern. Raises `CelFailure` for what is none, or is too large."""
    if len(text) > MOST_REGEX:
        raise CelFailure(f"a pattern of {len(text)} characters, at most {MOST_REGEX} are allowed")
    try:
        compiled = re2.compile(text, _OPTIONS)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        why = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise CelFailure(f"not a pattern of RE2: {why}") from None
    if compiled.programsize > MOST_REGEX_PROGRAM:
        raise CelFailure(f"a pattern of {compiled.programsize} steps, at most {MOST_REGEX_PROGRAM} are allowed")
    return compiled


def matches(text: Any, regex: Any) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return pattern(typed(regex, str)).search(typed(text, str)) is not None


def contains(text: Any, part: Any) -> bool:
    return typed(part, str) in typed(text, str)


def starts_with(text: Any, part: Any) -> bool:
    return bool(typed(text, str).startswith(typed(part, str)))


def ends_with(text: Any, part: Any) -> bool:
    return bool(typed(text, str).endswith(typed(part, str)))


def size(value: Any) -> int:
    return len(typed(value, str, bytes, list, dict))


def _place(place: Any, most: int) -> int:
    if not 0 <= typed(place, int) <= most:
        raise CelFailure("a place outside the text")
    return int(place)


def char_at(text: Any, place: Any) -> str:
    return str(typed(text, str)[_place(place, len(text)) :][:1])


def index_of(text: Any, part: Any, start: Any = 0) -> int:
    return int(typed(text, str).find(typed(part, str), _place(start, len(text))))


def last_index_of(text: Any, part: Any, start: Any = None) -> int:
    begins = len(typed(text, str)) if start is None else _place(start, len(text))
    return int(text.rfind(typed(part, str), 0, begins + len(part)))


def substring(text: Any, start: Any, end: Any = None) -> str:
    stop = len(typed(text, str)) if end is None else _place(end, len(text))
    if _place(start, len(text)) > stop:
        raise CelFailure("a place outside the text")
    return str(text[start:stop])


def replace(text: Any, old: Any, new: Any, most: Any = -1) -> str:
    times = typed(text, str).count(typed(old, str))
    times = min(times, most) if typed(most, int) >= 0 else times
    if len(text) + times * (len(typed(new, str)) - len(old)) > MOST_TEXT:
        raise CelFailure("a text or list too long to put together")
    return str(text.replace(old, new, times))


def split(text: Any, separator: Any, most: Any = -1) -> list[str]:
    parts = typed(most, int)
    if parts == 0:
        return []
    if typed(separator, str) != "":
        return short(typed(text, str).split(separator, parts - 1 if parts > 0 else -1))  # type: ignore[no-any-return]
    if len(typed(text, str)) > MOST_ELEMENTS and parts < 0:
        short([None] * (MOST_ELEMENTS + 1))
    if text == "":
        return [""]
    return list(text) if not 0 < parts < len(text) else [*text[: parts - 1], text[parts - 1 :]]


def join(parts: Any, separator: Any = "") -> str:
    if sum(len(typed(part, str)) for part in typed(parts, list)) + len(parts) * len(typed(separator, str)) > MOST_TEXT:
        raise CelFailure("a text or list too long to put together")
    return str(separator.join(parts))


def lower(text: Any) -> str:
    return str(typed(text, str).translate(_LOWER))


def upper(text: Any) -> str:
    return str(typed(text, str).translate(_UPPER))


def trim(text: Any) -> str:
    return str(typed(text, str).strip(_SPACES))


def reverse(text: Any) -> str:
    return str(typed(text, str)[::-1])


_WHOLE = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*")
_DECIMAL = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|0[xX][0-9a-fA-F]+(?:\.[0-9a-fA-F]*)?"
    r"(?:[pP][+-]?[0-9]+)?|inf|infinity|nan))[ \t\n\v\f\r]*",
    re.IGNORECASE,
)


def whole_number(text: str) -> int:
    """The number that a text names. Raises `CelFailure`."""
    found = _WHOLE.fullmatch(text)
    if found is None or len(text) > 100:
        raise CelFailure("a text that is no number")
    return int(found[1])


def decimal_number(text: str) -> float:
    """The double that a text names. Raises `CelFailure`."""
    found = _DECIMAL.fullmatch(text)
    if found is None or len(text) > 1000:
        raise CelFailure("a text that is no number")
    return float.fromhex(found[1]) if "x" in found[1].lower() else float(found[1])
