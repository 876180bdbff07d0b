"""Write the tables of docs/reference that come from code; with ``--check`` only compare.

A table stands between ``<!-- NAME: generated -->`` and ``<!-- end -->``; the text around it is written by hand.
"""

import argparse
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
from pydantic.fields import FieldInfo

from abuse_service.features.declaration import SMALLEST_ERROR, Aggregate, Declaration, Entity
from abuse_service.features.distinct import MOST_DISTINCT
from abuse_service.features.rows import FEW_ROWS, MOST_ROWS
from abuse_service.policy.document import Case, Document, Outcome, RuleText
from abuse_service.policy.entries import ENTRY_KINDS
from abuse_service.policy.guard import GuardText
from abuse_service.policy.links import LINK_THRESHOLDS
from abuse_service.policy.prices import RESERVATION_THRESHOLDS, Price, Prices
from abuse_service.policy.vocabulary import FACTS, OWN_LISTS
from abuse_service.settings import Settings, Token

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
_BLOCK = re.compile(r"(<!-- (\w+): generated -->\n).*?(<!-- end -->)", flags=re.DOTALL)

AGGREGATES = {
    Aggregate.COUNT: ("int", "number of events", "0"),
    Aggregate.SUM: ("int", "sum of `value`, fractions rounded, held within 62 bits", "0"),
    Aggregate.MIN: ("double", "smallest `value`", "unknown"),
    Aggregate.MAX: ("double", "largest `value`", "unknown"),
    Aggregate.MEAN: ("double", "mean of `value`, fractions rounded", "0.0"),
    Aggregate.FIRST: ("double", "`value` of the earliest event; of several at one instant the smallest", "unknown"),
    Aggregate.LAST: ("double", "`value` of the latest event; of several at one instant the largest", "unknown"),
    Aggregate.DISTINCT: ("int", "number of distinct values; empty text does not count", "0"),
    Aggregate.TOP: ("string", "most frequent `value`, of several the first in the alphabet", "unknown"),
    Aggregate.RATE: ("double", "events a second", "0.0"),
    Aggregate.AGE: ("double", "seconds since the earliest event; takes no window", "unknown"),
    Aggregate.RATIO: ("double", "share of events for which `matching` holds", "0.0"),
}
_TOTALS = (Aggregate.COUNT, Aggregate.SUM, Aggregate.MEAN, Aggregate.RATE, Aggregate.RATIO)
EXACTNESS = [
    (
        _TOTALS,
        f"the newest {MOST_ROWS:,} events of the window",
        f"`approximate: SHARE`: every event, the newest {FEW_ROWS} exactly, older ones in steps of that share",
        "every event",
    ),
    (
        (Aggregate.MIN, Aggregate.MAX),
        f"the newest {MOST_ROWS:,} events of the window",
        "`approximate: SHARE`: the same",
        "every event",
    ),
    ((Aggregate.FIRST,), f"the newest {MOST_ROWS:,} events of the window", "always exact", "every event"),
    ((Aggregate.LAST,), "every event", "always exact", "every event"),
    (
        (Aggregate.DISTINCT,),
        f"up to {MOST_DISTINCT:,} values in two windows' time, then no more are told apart",
        f"`approximate: ERROR`, {SMALLEST_ERROR} or more: an estimate beyond, to that share of two windows' values",
        f"up to {MOST_DISTINCT:,} values, then no more, or an estimate",
    ),
    (
        (Aggregate.TOP,),
        f"the newest {MOST_ROWS:,} events of the window",
        "always exact",
        f"the newest {MOST_ROWS:,} events",
    ),
    ((Aggregate.AGE,), "", "always exact", "every event"),
]
ENTITIES = {
    Entity.USER: "the identity that the event is about",
    Entity.ORGANIZATION: "the organization that a request or an `org.*` event names",
    Entity.IP: "the client's address",
    Entity.NETWORK: "the network around it: IPv4 /24, IPv6 /48",
    Entity.JA4: "the JA4 digest of the connection: a browser's build",
    Entity.NETWORK_JA4: "the same on one network, of those who sign in there",
    Entity.AGENT: "the user agent that somebody signs in with",
    Entity.FINGERPRINT: "the composite of address, JA4 digest and agent that names an anonymous caller, whoever calls",
    Entity.DEVICE: "the device behind a hardware fingerprint; markers are none",
    Entity.CARD: "the card behind a Stripe fingerprint",
    Entity.TEMPLATE: "the system prompt of a request with neither tools nor editor",
    Entity.MAILBOX: "where mail really arrives: tags and ignored dots removed",
    Entity.EMAIL_DOMAIN: "the registrable domain of the address",
    Entity.CUSTOMER: "the Stripe customer",
    Entity.CLUSTER: "the identity with all that strong links reach when it is judged, as if they were one",
}

RESERVING = {
    "reservation_seconds": "how long a request's estimate counts when nobody reports its cost",
    "reservation_most_microdollars": "the most that one request is taken to cost",
    "reservation_output_tokens": "tokens that a request without `max_tokens` is taken to generate",
}

LINKING = {
    "link_device_users": "more share an emulator's device, or a default of some library",
    "link_card_users": "more share a processor's test card",
    "link_mailbox_users": "more share a role's mailbox, such as a test team's",
    "link_customer_users": "more share a constant in somebody's program, or a company",
}

ENTRIES = {
    "user": "is this account",
    "fingerprint": "is this anonymous caller, by the `identity_key` of an answer",
    "organization": "is a member of this organization now, or asks on its behalf",
    "ip": "asks or signs in from this address",
    "network": "asks or signs in from this network: an IPv4 /24 or an IPv6 /48, the widths that events are known by",
    "domain": "has its newest e-mail address at this domain, as it is registered",
    "mailbox": "had an address of this mailbox, in whatever spelling",
    "device": "was seen with this hardware fingerprint",
    "card": "was seen with this card fingerprint of Stripe's",
    "customer": "was seen with this Stripe customer",
}


def tables() -> dict[str, list[str]]:
    """Every generated table by its name."""
    return {
        "settings": _fields(Settings.model_fields, prefix="ABUSE_"),
        "token": _fields(Token.model_fields),
        "facts": _table(["name", "type", "meaning"], [[f"`{n}`", k.value, text] for n, (k, text) in FACTS.items()]),
        "aggregates": _table(
            ["aggregate", "type", "what it is", "without an event"],
            [[f"`{name}`", *AGGREGATES[name]] for name in Aggregate],
        ),
        "exactness": _table(
            ["aggregate", "a window looks at", "approximate", "life looks at"],
            [[", ".join(f"`{one}`" for one in names), *said] for names, *said in EXACTNESS],
        ),
        "entities": _table(["entity", "whose history"], [[f"`{name}`", ENTITIES[name]] for name in Entity]),
        "document": _keys(Document),
        "declaration": _keys(Declaration),
        "outcome": _keys(Outcome),
        "rule": _keys(RuleText),
        "case": _keys(Case),
        "guard": _keys(GuardText),
        "lists": _table(["list", "who is in it"], [[f"`{name}`", text] for name, text in OWN_LISTS.items()]),
        "entries": _table(["entry", "the subject"], [[f"`{kind}:…`", ENTRIES[kind]] for kind in ENTRY_KINDS]),
        "prices": _keys(Prices),
        "price": _keys(Price),
        "linking": _table(
            ["threshold", "default", "why so many"],
            [[f"`{name}`", f"`{value}`", LINKING[name]] for name, value in LINK_THRESHOLDS.items()],
        ),
        "reserving": _table(
            ["threshold", "default", "meaning"],
            [[f"`{name}`", f"`{value}`", RESERVING[name]] for name, value in RESERVATION_THRESHOLDS.items()],
        ),
    }


def page_with_tables(text: str) -> str:
    """The page with its tables as they should be."""
    made = tables()
    return _BLOCK.sub(lambda block: block[1] + "\n".join(made[block[2]]) + "\n" + block[3], text)


def main(arguments: list[str] | None = None) -> int:
    """Write the tables, or with ``--check`` name the pages that are out of date and return 1."""
    parser = argparse.ArgumentParser(description=inspect.getdoc(sys.modules[__name__]))
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    pages = {page: page.read_text("utf-8") for page in sorted(REFERENCE.glob("*.md"))}
    stale = [page for page, text in pages.items() if page_with_tables(text) != text]
    for page in stale:
        if check:
            print(f"out of date: docs/reference/{page.name}; run `make generate`", file=sys.stderr)
        else:
            page.write_text(page_with_tables(pages[page]), "utf-8")
    return 1 if check and stale else 0


def _fields(fields: dict[str, FieldInfo], prefix: str = "") -> list[str]:
    name = "variable" if prefix else "field"
    rows = [
        [f"`{prefix}{field.upper() if prefix else field}`", _default(said), _limits(said), said.description or ""]
        for field, said in fields.items()
    ]
    return _table([name, "default", "limits", "meaning"], rows)


def _default(said: FieldInfo) -> str:
    if said.is_required():
        return "required"
    value: Any = said.default
    if isinstance(value, frozenset):
        value = ", ".join(sorted(value))
    return "" if value is None or value == () else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _limits(said: FieldInfo) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "min_length": "length at least"}
    limits = [
        f"{word} {getattr(rule, name)}" for rule in said.metadata for name, word in words.items() if hasattr(rule, name)
    ]
    return ", ".join(limits)


def _keys(kind: type[msgspec.Struct]) -> list[str]:
    rows = []
    for field in msgspec.structs.fields(kind):
        default = "required" if field.required else _written(field)
        rows.append([f"`{field.encode_name}`", default])
    return _table(["key", "default"], rows)


def _written(field: msgspec.structs.FieldInfo) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return "empty"
    return "" if field.default in (None, "") or isinstance(field.default, msgspec.Struct) else f"`{field.default}`"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


if __name__ == "__main__":
    sys.exit(main())
