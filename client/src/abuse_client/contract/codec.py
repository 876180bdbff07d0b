"""Bytes to contract types and back, liberal in what is optional.

`read` is for a receiver: it keeps what it can and names what it could not. `decode` is `read` plus the unknown fields
in ``extra``, so that `encode` gives back all that came.
"""

import enum
import functools
import json
import math
import types
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from abuse_client.contract.errors import ContractError, InvalidField, MalformedJson, join_path
from abuse_client.contract.events import EVENT_CLASSES, AnyEvent, CloudEvent, EventsBatch, UnknownEvent
from abuse_client.contract.repair import blank_controls, repair
from abuse_client.contract.wire import Wire

W = TypeVar("W", bound=Wire)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class Reading(msgspec.Struct, Generic[W], frozen=True):
    """What a body said: the value, and the paths of optional fields that were malformed and read as absent."""

    value: W
    malformed: tuple[str, ...] = ()


class Reader(Generic[W]):
    """Reads bodies of one payload type; made once, used for every request."""

    def __init__(self, kind: type[W]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, body: bytes | msgspec.Raw) -> Reading[W]:
        """The payload in ``body``, which must have gone through `repair`.

        Unknown fields are passed over. Raises `MalformedJson` or `InvalidField`.
        """
        try:
            return Reading(self._decode(body))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return read_object(self._kind, parse_object(bytes(body)))


def decode(kind: type[W], body: bytes) -> W:
    """The payload, answer or event in ``body``, its unknown fields in ``extra``.

    ``kind`` is any class of the contract; `CloudEvent` stands for an event of whatever type. Raises `MalformedJson`
    or `InvalidField`. An optional field that is malformed stays in ``extra`` as it came.
    """
    fields = parse_object(repair(body))
    if kind is EventsBatch:
        return _decode_batch(fields)  # type: ignore[return-value]
    if kind is CloudEvent:
        return decode_event(fields)  # type: ignore[return-value]
    return read_object(kind, fields, keep_unknown=True).value


def decode_event(fields: dict[str, Any]) -> AnyEvent:
    """The event that a parsed JSON object holds: one of the 17 classes, or `UnknownEvent`. Raises `InvalidField`."""
    kind = EVENT_CLASSES.get(event_type(fields), UnknownEvent)
    return read_object(kind, fields, keep_unknown=True).value  # type: ignore[return-value]


def event_type(fields: dict[str, Any]) -> str:
    """The ``type`` of a parsed event. Raises `InvalidField` when it has none."""
    name = fields.get("type")
    if not isinstance(name, str) or not name:
        raise InvalidField("type", f"expected a non-empty string, found {_found(name)}")
    return name


def encode(value: Wire) -> bytes:
    """The JSON bytes of a contract value, entries of ``extra`` beside the known fields."""
    return encode_fields(to_builtins(value))


def encode_fields(fields: dict[str, Any]) -> bytes:
    """The JSON bytes of a plain object, half surrogates mended. Raises `TypeError` for what JSON cannot hold."""
    try:
        return _encoder.encode(fields)
    except UnicodeEncodeError:
        # json spells half a surrogate pair as an escape, which is what repair() mends.
        return _encoder.encode(json.loads(repair(json.dumps(msgspec.to_builtins(fields)).encode())))


def to_builtins(value: Any) -> Any:
    """The plain dicts and lists that ``value`` is on the wire."""
    if isinstance(value, Wire):
        return _plain(value)
    if isinstance(value, list | tuple):
        return [to_builtins(item) for item in value]
    if isinstance(value, dict):
        return {key: to_builtins(item) for key, item in value.items()}
    return msgspec.to_builtins(value)


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises `MalformedJson`."""
    try:
        parsed = _parse(body)
    except RecursionError:
        raise MalformedJson("", "nested too deep") from None
    if not isinstance(parsed, dict):
        raise MalformedJson("", f"expected a JSON object, found {_found(parsed)}")
    return parsed


def read_object(kind: type[W], fields: dict[str, Any], *, keep_unknown: bool = False) -> Reading[W]:
    """A contract value from a parsed JSON object, field by field.

    With ``keep_unknown`` whatever is unknown or malformed goes into ``extra``. Raises `InvalidField` for a required
    field that is missing or wrong.
    """
    known: dict[str, Any] = {}
    malformed: list[str] = []
    extra: dict[str, Any] = dict(fields) if keep_unknown else {}
    tag_field, tag = kind.__struct_config__.tag_field, kind.__struct_config__.tag
    if tag_field is not None and extra.pop(tag_field, tag) != tag:
        raise InvalidField(tag_field, f"expected {tag!r}")
    for field in _fields(kind):
        raw = fields.get(field.encode_name)
        if field.name == "extra":
            continue
        if raw is None and not field.required:
            extra.pop(field.encode_name, None)
            continue
        try:
            known[field.name], inner = _read_value(field.type, raw, field.encode_name, keep_unknown)
        except ContractError as error:
            if field.required:
                raise
            malformed.append(error.path)
        else:
            malformed.extend(inner)
            extra.pop(field.encode_name, None)
    return Reading(kind(**known, extra=extra), tuple(malformed))


def _read_value(kind: Any, raw: Any, path: str, keep_unknown: bool) -> tuple[Any, list[str]]:
    struct, in_list = _struct_of(kind)
    if struct is not None and not in_list:
        return _read_struct(struct, raw, path, keep_unknown)
    if struct is not None and isinstance(raw, list):
        return _read_structs(struct, raw, path, keep_unknown)
    return _convert(kind, raw, path), []


def _read_struct(kind: type[Wire], raw: Any, path: str, keep_unknown: bool) -> tuple[Wire, list[str]]:
    if not isinstance(raw, dict):
        raise InvalidField(path, f"expected an object, found {_found(raw)}")
    try:
        reading = read_object(kind, raw, keep_unknown=keep_unknown)
    except ContractError as error:
        raise error.within(path) from None
    return reading.value, [join_path(path, place) for place in reading.malformed]


def _read_structs(kind: type[Wire], raw: list[Any], path: str, keep_unknown: bool) -> tuple[list[Wire], list[str]]:
    values, malformed = [], []
    for index, item in enumerate(raw):
        try:
            value, inner = _read_struct(kind, item, f"{path}[{index}]", keep_unknown)
        except ContractError as error:
            if keep_unknown:
                raise
            malformed.append(error.path)
        else:
            values.append(value)
            malformed.extend(inner)
    return values, malformed


def _convert(kind: Any, raw: Any, path: str) -> Any:
    if isinstance(raw, float) and not math.isfinite(raw):
        raise InvalidField(path, "number out of range")
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        if isinstance(raw, float) and raw.is_integer():
            return _convert(kind, int(raw), path)  # a sender in another language writes 5 as 5.0
        raise InvalidField(path, _explain(kind, raw, str(error))) from None


def _explain(kind: Any, raw: Any, message: str) -> str:
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, enum.Enum):
            return f"expected one of {', '.join(repr(member.value) for member in option)}"
    if raw is None:
        return "required, but missing or null"
    return message.split(" - at ")[0].replace("Expected", "expected").replace(", got", ", found")


@functools.cache
def _fields(kind: type[Wire]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


@functools.cache
def _options(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a field's type, annotations taken off."""
    if get_origin(kind) is Annotated:
        return _options(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(option for inner in get_args(kind) for option in _options(inner))
    return (kind,)


@functools.cache
def _struct_of(kind: Any) -> tuple[type[Wire] | None, bool]:
    """The contract class that a field holds, and whether it holds a list of them."""
    for option in _options(kind):
        in_list = get_origin(option) is list
        inner = get_args(option)[0] if in_list else option
        if isinstance(inner, type) and issubclass(inner, Wire):
            return inner, in_list
    return None, False


def _plain(value: Wire) -> dict[str, Any]:
    config = value.__struct_config__
    plain: dict[str, Any] = {config.tag_field: config.tag} if config.tag_field else {}
    for field in _fields(type(value)):
        item = getattr(value, field.name)
        if field.name == "extra" or (item is None and config.omit_defaults and not field.required):
            continue
        plain[field.encode_name] = to_builtins(item)
    for key, item in value.extra.items():
        if plain.get(key) is None:  # what is known wins, so that nobody smuggles a field in
            plain[key] = to_builtins(item)
    return plain


def _decode_batch(fields: dict[str, Any]) -> EventsBatch:
    raw = fields.get("events")
    if not isinstance(raw, list):
        raise InvalidField("events", f"expected a list, found {_found(raw)}")
    events = []
    for index, item in enumerate(raw):
        if not isinstance(item, dict):
            raise InvalidField(f"events[{index}]", f"expected an object, found {_found(item)}")
        try:
            events.append(decode_event(item))
        except ContractError as error:
            raise error.within(f"events[{index}]") from None
    return EventsBatch(events=events, extra={key: item for key, item in fields.items() if key != "events"})


def _parse(body: bytes) -> Any:
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as first:
        try:
            return _decoder.decode(blank_controls(repair(body)))
        except msgspec.ValidationError:
            return _parse_huge_numbers(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise MalformedJson("", _lower(str(first))) from None


def _parse_huge_numbers(body: bytes) -> Any:
    """Parse a body with a number beyond any field, such as ``1e400`` or 5,000 digits: it reads as infinity."""
    try:
        return json.loads(blank_controls(repair(body)), parse_int=_integer, parse_constant=_no_constant)
    except ValueError:
        raise MalformedJson("", "not JSON") from None


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python converts
        return -math.inf if digits.startswith("-") else math.inf


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _found(raw: Any) -> str:
    if raw is None:
        return "nothing"
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(raw), "a number") if raw != "" else "an empty string"


def _lower(message: str) -> str:
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]
