"""What an answer of the service means to a sender."""

from typing import Any

import msgspec

from abuse_client.contract import Classification, ContractError, Reader, parse_object, repair
from abuse_client.failures import excerpt
from abuse_client.reports import EVENTS_PATH
from abuse_client.service import Answer


class BadAnswer(Exception):
    """The service answered with something that cannot be used."""

    def __init__(self, answer: Answer, reason: str = "") -> None:
        self.kind: str = f"status {answer.status}"
        super().__init__(f"{reason + ', ' if reason else ''}body: {excerpt(answer.body)}")


class Receipt(msgspec.Struct, frozen=True):
    """What the service said of reports: how many it refused, and why."""

    refused: int = 0
    reason: str = ""


class _Refusal(msgspec.Struct):
    path: Any = None
    message: Any = None


_classification_reader = Reader(Classification)


def read_classification(answer: Answer) -> Classification:
    """The classification in an answer. Raises `BadAnswer`."""
    body = _success(answer)
    try:
        reading = _classification_reader.read(body)
    except ContractError as error:
        raise BadAnswer(answer, str(error)) from None
    # A rules engine that cannot be read must not pass for one that is absent: that would lift an action in force.
    unreadable = [path for path in reading.malformed if path.startswith("rules_engine")]
    if unreadable:
        raise BadAnswer(answer, f"{unreadable[0]}: malformed")
    return reading.value


def read_receipt(path: str, answer: Answer) -> Receipt:
    """What became of reports that were sent to ``path``. Raises `BadAnswer`."""
    body = _success(answer)
    try:
        fields = parse_object(body)
    except ContractError as error:
        raise BadAnswer(answer, str(error)) from None
    if path == EVENTS_PATH and (refusals := _refusals(fields.get("rejected"))):
        return Receipt(len(refusals), f"{refusals[0].path}: {refusals[0].message}")
    if fields.get("success") is False:
        return Receipt(1, f"body: {excerpt(answer.body)}")
    return Receipt()


def _refusals(rejected: Any) -> list[_Refusal]:
    try:
        return msgspec.convert(rejected, list[_Refusal])
    except msgspec.ValidationError:
        return []


def _success(answer: Answer) -> bytes:
    if not answer.is_success:
        raise BadAnswer(answer)
    if not answer.body:
        raise BadAnswer(answer, "expected JSON")
    return repair(answer.body)
