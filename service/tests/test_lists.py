"""Lists: who stands in one, by what, until when, and what a decision says of it (decision 0015)."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_client.contract import Verdict
from abuse_service.decisions.decision import Decision
from abuse_service.decisions.lists import Entry, Lists, name_entry
from abuse_service.decisions.standing import Standing
from abuse_service.errors import PolicyError
from abuse_service.events.entity import EntityNamer
from abuse_service.policy.entries import ENTRY_KINDS, is_entry, read_entry
from abuse_service.policy.policy import Policy
from abuse_service.testing import NOW_MS, SECRET, World, event, policy_of, policy_text

NAMER = EntityNamer(SECRET)
HOUR_MS = 3_600_000
RULES = """
- id: listed
  title: Listed
  signal: listed
  when: listed.blocked
  reason: listed
  weight: 1.0
  evidence: confirmed
  verdict: HARD_BLOCK
  action: block
- id: spared
  title: Spared
  signal: spared
  when: identity.is_trusted || identity.was_unblocked || listed.vip
  reason: spared
  weight: 0.1
"""
HEAD = 'lists: {vip: ["user:vip", "gpt-9", "ollama:llama"]}'


def world_of(head: str = HEAD) -> World:
    """A world with a rule that blocks who is listed, and one that fires for the spared."""
    return World(policy_of(RULES, head=head))


def signals(decision: Decision) -> set[str]:
    """What fired."""
    return set(decision.signals)


# entries


@pytest.mark.parametrize(
    ("entry", "like"),
    [
        ("ip:192.0.2.1", "ip:::ffff:192.0.2.1"),
        ("ip:2001:db8::1", "ip:2001:DB8:0:0:0:0:0:1"),
        ("network:2001:db8:1::/48", "network:2001:0db8:0001::/48"),
        ("domain:example.com", " domain: Example.COM. "),
        ("mailbox:ada@gmail.com", "mailbox:A.D.A+shop@googlemail.com"),
    ],
)
def test_spellings_name_one_entity(entry: str, like: str) -> None:
    """An entry names what intake would name, in whatever spelling."""
    assert name_entry(NAMER, entry) == name_entry(NAMER, like)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("network:192.0.2.0/25", "expected an IPv4 /24, found /25"),
        ("network:192.0.0.0/16", "expected an IPv4 /24, found /16"),
        ("network:2001:db8::/64", "expected an IPv6 /48, found /64"),
        ("network:192.0.2.1/24", "its host bits must be 0"),
        ("network:here", "expected a network, such as network:192.0.2.0/24"),
        ("ip:192.0.2.0/24", "a network is written network:"),
        ("ip:192.0.2", "expected an address, such as ip:192.0.2.1"),
        ("domain:mail.example.com", "found a name below one"),
        ("domain:ada@example.com", "expected a domain"),
        ("mailbox:ada", "expected an e-mail address"),
        ("user:", "expected KIND:VALUE"),
        ("ada@example.com", "expected KIND:VALUE"),
        ("planet:mars", "expected KIND:VALUE"),
        ("card:" + "x" * 2000, "at most 1024"),
    ],
)
def test_wrong_entry_is_explained(entry: str, wrong: str) -> None:
    """What names nothing is refused with what was expected, and without the value."""
    with pytest.raises(ValueError, match=re.escape(wrong)) as refused:
        read_entry(entry)
    assert "mars" not in str(refused.value)
    assert "ada@" not in str(refused.value)


@given(st.text(max_size=40) | st.tuples(st.sampled_from(sorted(ENTRY_KINDS)), st.text(max_size=30)).map(":".join))
def test_any_text_is_an_entry_or_refused(text: str) -> None:
    """No text makes reading an entry fail otherwise."""
    try:
        kind, value = read_entry(text)
    except ValueError:
        return
    assert value
    assert is_entry(text.strip())
    assert name_entry(NAMER, text)[:1] == kind.value


def test_policy_refuses_wrong_entries() -> None:
    """An entry in a policy's list that names nothing is refused at its list; plain strings are nobody's business."""
    with pytest.raises(PolicyError, match="expected an IPv4 /24") as refused:
        Policy(policy_text(head='lists: {mine: ["network:192.0.0.0/16"]}'))
    assert refused.value.path == "lists.mine"


# who stands in a list

SUBJECT: dict[str, Any] = {
    "email": "ada@example.com",
    "stytch_hardware_fingerprint": "device-1",
    "stripe_customer_id": "cus_1",
    "org_memberships": [{"organization_id": "org-1"}],
}


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ("user:u1", "user"),
        ("organization:org-1", "organization"),
        ("organization:org-of-request", "organization"),
        ("ip:192.0.2.1", "ip"),
        ("network:192.0.2.0/24", "network"),
        ("domain:example.com", "email_domain"),
        ("mailbox:a.d.a+x@example.com", None),
        ("mailbox:ada+x@example.com", "mailbox"),
        ("device:device-1", "device"),
        ("card:card-1", "card"),
        ("customer:cus_1", "customer"),
        ("user:u2", None),
        ("organization:org-2", None),
        ("network:198.51.100.0/24", None),
        ("domain:example.org", None),
    ],
)
def test_subject_is_listed_by_what_is_his(entry: str, kind: str | None) -> None:
    """A list holds who is named in it: by himself, by his organization, address, network, mail, device or card."""
    world = world_of()
    world.sign_in(**SUBJECT)
    card = {"type": "card", "card": {"fingerprint": "card-1"}, "id": "pm_1", "object": "payment_method"}
    world.send(event("stripe.payment_method.attached", kilo_user_id="u1", **card))
    world.change_list("blocked", entry, reason="seen before")
    decision = world.classify(ip_address="192.0.2.1", organization_id="org-of-request")
    assert (decision.verdict is Verdict.HARD_BLOCK) is (kind is not None)
    assert [(one.list_name, one.kind, one.reason) for one in decision.listed] == (
        [("blocked", kind, "seen before")] if kind else []
    )


def test_anonymous_caller_can_be_listed() -> None:
    """An anonymous caller is named by the identity key that decisions say."""
    world = world_of()
    known = world.classify(None, ip_address="192.0.2.1", user_agent="x").identity_key
    world.change_list("blocked", known)
    assert world.classify(None, ip_address="192.0.2.1", user_agent="x").verdict is Verdict.HARD_BLOCK
    assert world.classify(None, ip_address="192.0.2.1", user_agent="y").verdict is Verdict.ALLOW


def test_former_member_is_not_listed() -> None:
    """Who left an organization, or changed the mail domain, is no longer named by it."""
    world = world_of()
    world.sign_in(**SUBJECT, at=NOW_MS - 10, occurred_at=NOW_MS - 10)
    world.change_list("trusted", "organization:org-1")
    world.change_list("trusted", "domain:example.com")
    assert signals(world.classify()) == {"spared"}
    world.send(event("org.member_removed", NOW_MS, kilo_user_id="u1", organization_id="org-1"))
    world.send(event("user.email_changed", NOW_MS, kilo_user_id="u1", email="ada@example.org"))
    assert signals(world.classify()) == set()


def test_decision_names_no_person() -> None:
    """A decision says by which kind of thing it is listed, never by which."""
    world = world_of()
    world.sign_in(email="very.personal@example.com")
    world.change_list("blocked", "mailbox:very.personal@example.com")
    assert "very" not in repr(world.classify().listed)


@pytest.mark.parametrize(
    ("trusted", "blocked", "is_blocked"),
    [
        ("user:u1", "network:192.0.2.0/24", False),
        ("user:u1", "device:device-1", False),
        ("organization:org-1", "user:u1", True),
        ("organization:org-1", "network:192.0.2.0/24", True),
        ("mailbox:ada@example.com", "domain:example.com", False),
        ("user:u1", "user:u1", True),
    ],
)
def test_closer_entry_counts(trusted: str, blocked: str, is_blocked: bool) -> None:
    """Of trusted and blocked the entry that names the subject more closely counts; of two as close, the block."""
    world = world_of()
    world.sign_in(**SUBJECT)
    world.change_list("trusted", trusted)
    world.change_list("blocked", blocked)
    decision = world.classify(ip_address="192.0.2.1")
    assert signals(decision) == ({"listed"} if is_blocked else {"spared"})


# over time


def test_entry_expires_by_event_time() -> None:
    """An entry counts for what happens before its end, and for nothing after."""
    world = world_of()
    world.change_list("blocked", "user:u1", expires_at=NOW_MS + HOUR_MS)
    verdicts = [world.classify(at=NOW_MS + later).verdict for later in (0, HOUR_MS - 1, HOUR_MS)]
    assert verdicts == [Verdict.HARD_BLOCK, Verdict.HARD_BLOCK, Verdict.ALLOW]


def test_unblock_leaves_an_exception() -> None:
    """Who is taken out of blocked is known as unblocked, until he is blocked again."""
    world = world_of()
    world.change_list("blocked", "user:u1")
    assert signals(world.classify()) == {"listed"}
    world.change_list("blocked", "user:u1", "removed")
    assert signals(world.classify()) == {"spared"}
    world.change_list("blocked", "user:u1")
    assert signals(world.classify()) == {"listed"}


def test_unblocked_network_is_nobodys_exception() -> None:
    """What was blocked by something shared leaves no exception: strangers would have it too."""
    world = world_of()
    world.change_list("blocked", "network:192.0.2.0/24")
    world.change_list("blocked", "network:192.0.2.0/24", "removed")
    assert signals(world.classify(ip_address="192.0.2.1")) == set()


def test_policy_names_entries_too() -> None:
    """Entries of the policy's own lists count beside plain strings, and trusted_identities is the list trusted."""
    world = world_of('lists: {vip: ["user:vip", "gpt-9"], trusted_identities: ["user:old"], trusted: ["user:new"]}')
    assert [signals(world.classify(user)) for user in ("vip", "old", "new", "u1")] == [{"spared"}] * 3 + [set()]
    assert [one.list_name for one in world.classify("old").listed] == ["trusted"]


def test_further_list_is_read_by_its_name() -> None:
    """Any list that the policy names can be added to."""
    world = world_of()
    world.change_list("vip", "user:u1")
    assert signals(world.classify()) == {"spared"}


# told again


def test_log_tells_the_lists() -> None:
    """Told the log again, or brought back by an image, the same stands in each list."""
    world = world_of()
    for number in range(3):
        world.change_list("blocked", f"user:u{number}", at=NOW_MS + number, expires_at=NOW_MS + HOUR_MS)
    world.change_list("blocked", "user:u1", "removed")
    world.change_list("vip", "domain:example.com")
    stood = world.standing.stood()
    assert len(stood.entries) == 4
    assert world.retold().standing.stood() == stood
    again = Standing(NAMER)
    again.restore(stood)
    assert again.stood() == stood


STEP = st.tuples(st.sampled_from(["blocked", "trusted", "vip"]), st.integers(0, 5), st.booleans())


@given(st.lists(STEP, max_size=40))
def test_lists_count_what_they_hold(steps: list[tuple[str, int, bool]]) -> None:
    """However often entries come and go, the number of entries is that of what is there."""
    lists, said = Lists(), set[tuple[str, int]]()
    for name, number, is_added in steps:
        key = b"i" + bytes([number]) * 16
        if is_added:
            lists.add(Entry(name, key, "r"))
            said.add((name, number))
        else:
            lists.remove(name, key)
            said.discard((name, number))
    assert len(lists) == len(said) == len(lists.entries())
    assert all(lists.index.values())


def test_expired_entries_make_room() -> None:
    """What expired goes when room is needed."""
    lists = Lists()
    lists.add(Entry("blocked", b"u" * 17, "r", expires_at_ms=10))
    lists.add(Entry("blocked", b"i" * 17, "r", expires_at_ms=11))
    lists.forget_expired(10)
    assert [entry.key for entry in lists.entries()] == [b"i" * 17]
