"""Disputes and warnings: one is one, by whichever of its ids it is named."""

import pytest

from abuse_service.identities import facts
from abuse_service.identities.cases import MOST_PAIRS, count_cases, group_cases, learn_pairs
from abuse_service.testing import NOW_MS, World, event, in_each_order, sent

DISPUTE, WITHDRAWN = "stripe.charge.dispute.created", "stripe.charge.dispute.funds_withdrawn"
WARNING = "stripe.radar.early_fraud_warning.created"
PAID, FAILED = "stripe.payment_intent.succeeded", "stripe.charge.failed"
EARLIER, LATER = NOW_MS - 2000, NOW_MS - 1000


@pytest.mark.parametrize(
    "teaching",
    [
        sent(PAID, EARLIER - 5, id="pi_1", latest_charge="ch_1"),
        sent(FAILED, NOW_MS, id="ch_1", payment_intent="pi_1"),
        sent(WARNING, NOW_MS, charge="ch_1", payment_intent="pi_1"),
        sent(WITHDRAWN, NOW_MS, id="dp_1", charge="ch_1", payment_intent="pi_1", status="lost"),
    ],
    ids=["payment", "failure", "warning", "dispute"],
)
def test_intent_first_and_charge_later_is_one(teaching: object) -> None:
    """A dispute that names the intent first and the charge later counts once, wherever it was learned."""
    for world in in_each_order(
        sent(DISPUTE, EARLIER, payment_intent="pi_1", reason="fraudulent", amount=500),
        sent(WITHDRAWN, LATER, charge="ch_1", status="lost"),
        teaching,  # type: ignore[arg-type]
    ):
        record = world.record()
        assert facts.disputes(record) == 1
        [(name, said)] = group_cases(record.stripe.disputes, record.stripe.pairs).items()
        assert name == "ch_1"
        assert said == {
            "charge": "ch_1", "payment_intent": "pi_1", "reason": "fraudulent", "amount": 500, "status": "lost",
            "funds_withdrawn": True,
        }  # fmt: skip


def test_own_id_joins_what_it_named() -> None:
    """Two events of a dispute that name different ids are one where both name the dispute itself."""
    for world in in_each_order(
        sent(DISPUTE, EARLIER, id="dp_1", payment_intent="pi_1"), sent(WITHDRAWN, LATER, id="dp_1", charge="ch_1")
    ):
        assert facts.disputes(world.record()) == 1


def test_strangers_stay_apart() -> None:
    """Disputes of different payments are as many as there are, and a warning is no dispute."""
    for world in in_each_order(
        sent(DISPUTE, EARLIER, charge="ch_1", payment_intent="pi_1"),
        sent(DISPUTE, EARLIER, charge="ch_2", payment_intent="pi_2"),
        sent(WARNING, LATER, charge="ch_1"),
    ):
        assert (facts.disputes(world.record()), facts.fraud_warnings(world.record())) == (2, 1)


def test_rules_count_a_dispute_once() -> None:
    """What rules read as the number of disputes is how many there are, not how many names they have."""
    world = World()
    world.send(event(DISPUTE, kilo_user_id="u1", payment_intent="pi_1"))
    world.send(event(WITHDRAWN, kilo_user_id="u1", charge="ch_1"))
    assert facts.disputes(world.record()) == 2
    world.send(event(PAID, kilo_user_id="u1", id="pi_1", latest_charge="ch_1"))
    assert facts.disputes(world.record()) == 1


def test_pairs_are_bounded() -> None:
    """Of too many pairs the same ones stay in either order."""
    names = [(f"ch_{number}", f"pi_{number}") for number in range(3 * MOST_PAIRS)]
    forward: list[bytes] = []
    backward: list[bytes] = []
    for one in names:
        learn_pairs(forward, one)
    for one in reversed(names):
        learn_pairs(backward, one)
    assert forward == backward
    assert len(forward) == MOST_PAIRS
    assert count_cases({"ch_1": [], "other": []}, forward) == 2
