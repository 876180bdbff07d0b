"""Who plays: a dozen people, each on a connection and a device of his own, except the one who comes back."""

from dataclasses import dataclass

import httpx

from cloud.story.person import Person

PLACES = (("Lisbon", "PT"), ("Oslo", "NO"), ("S%C3%A3o%20Paulo", "BR"))
BLOCKED_DEVICE = "hw_5f1c0d9ab2e74f6e"


@dataclass(frozen=True, kw_only=True)
class Cast:
    """The people of the story."""

    admin: Person
    honest: Person
    owner: Person
    member: Person
    leaver: Person
    mover: Person
    granted: Person
    declined: Person
    disputed: Person
    pardoned: Person
    blocked: Person
    same_device: Person
    drained: Person

    def everyone(self) -> list[Person]:
        return list(vars(self).values())


def gather(http: httpx.Client, admin_email: str) -> Cast:
    """Put the people in front of the cloud's door."""
    return Cast(
        admin=person(http, 1, admin_email, "admin"),
        honest=person(http, 2, "ada@example.org", "honest"),
        owner=person(http, 3, "ben@example.net", "owner"),
        member=person(http, 4, "cleo@example.com", "member"),
        leaver=person(http, 5, "dan@example.org", "leaver"),
        mover=person(http, 6, "erin@example.net", "mover"),
        granted=person(http, 7, "fay@example.com", "granted"),
        declined=person(http, 8, "gus@example.org", "declined"),
        disputed=person(http, 9, "hal@example.net", "disputed"),
        pardoned=person(http, 10, "ida@example.com", "pardoned"),
        blocked=person(http, 11, "mallory@example.org", "blocked", BLOCKED_DEVICE),
        same_device=person(http, 12, "fresh-start@example.net", "same_device", BLOCKED_DEVICE),
        drained=person(http, 13, "oscar@example.com", "drained"),
    )


def person(http: httpx.Client, number: int, email: str, role: str, fingerprint: str | None = None) -> Person:
    """Return a person whose network and device are nobody else's unless a fingerprint is given."""
    city, country = PLACES[number % len(PLACES)]
    return Person(
        http=http,
        email=email,
        role=role,
        # Addresses for documentation; each person in a network (/48) of his own, as strangers are.
        ip_address=f"2001:db8:{number:x}::{10 + number:x}",
        city=city,
        country=country,
        ja4_digest=f"t13d15{number:02d}h2_8daaf6152771_{number:012x}",
        fingerprint=fingerprint or f"hw_{number:016x}",
    )
