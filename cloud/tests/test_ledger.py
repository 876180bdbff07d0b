"""The books: they balance, no balance is ever negative, and nothing is posted twice; on SQLite and PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from cloud.billing.ledger import House, account_of, balance_of, book_usage, list_discrepancies, spendable, take_back
from cloud.billing.models import Balance, Posting
from cloud.billing.owners import Owner
from cloud.billing.service import book_credits
from cloud.testing import Town

AT_ONCE = 8


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


@pytest.fixture(params=["user", "organization"])
def owner(request: pytest.FixtureRequest) -> Owner:
    return Owner(**{f"{request.param}_id": uuid4().hex})


def give(town: Town, owner: Owner, microdollars: int, stripe_id: str | None = None) -> bool:
    with town.running.cloud.transaction() as work:
        return book_credits(work, owner, microdollars, kind="purchase", stripe_id=stripe_id)


def use(town: Town, owner: Owner, microdollars: int) -> None:
    with town.running.cloud.transaction() as work:
        book_usage(work, owner, microdollars, "message")


def left(town: Town, owner: Owner) -> int:
    with town.running.cloud.database.reading() as session:
        return spendable(session, owner)


def debited(town: Town, account: str) -> int:
    """Return all that was taken from the account."""
    with town.running.cloud.database.reading() as session:
        found = session.scalars(select(Posting.microdollars).where(Posting.debited == account))
        return sum(found)


def at_once(act: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [task.result() for task in [pool.submit(act) for _ in range(AT_ONCE)]]


def test_unknown_owner_holds_nothing(town: Town, owner: Owner) -> None:
    """Who never got anything may spend nothing."""
    assert left(town, owner) == 0


def test_usage_leaves_the_rest(town: Town, owner: Owner) -> None:
    """What an answer cost is gone, and what was acquired stays acquired."""
    give(town, owner, 1_000)
    use(town, owner, 300)
    with town.running.cloud.database.reading() as session:
        balance = balance_of(session, owner)
    assert (balance.microdollars, balance.acquired_microdollars) == (700, 1_000)


def test_last_cent_is_spent_once(town: Town, owner: Owner) -> None:
    """Of requests that spend the same last cent at once one takes it; the rest is our shortfall, never a debt."""
    give(town, owner, 10_000)
    before = debited(town, House.SHORTFALL)
    at_once(lambda: use(town, owner, 10_000))
    assert left(town, owner) == 0
    assert debited(town, House.SHORTFALL) - before == (AT_ONCE - 1) * 10_000


def test_dear_answer_takes_what_is_left(town: Town, owner: Owner) -> None:
    """An answer that costs more than is left takes all of it, and no more."""
    give(town, owner, 400)
    before = debited(town, House.SHORTFALL)
    use(town, owner, 1_000)
    assert left(town, owner) == 0
    assert debited(town, House.SHORTFALL) - before == 600


def test_no_movement_is_lost(town: Town, owner: Owner) -> None:
    """Purchases and usage that happen at once all count."""
    give(town, owner, 100_000)

    def move() -> None:
        give(town, owner, 700)
        use(town, owner, 200)

    at_once(move)
    assert left(town, owner) == 100_000 + AT_ONCE * 500


def test_stripe_id_is_booked_once(town: Town, owner: Owner) -> None:
    """One Stripe id that is booked at once from many sides is booked by one of them."""
    stripe_id = f"pi_{uuid4().hex}"
    assert sorted(at_once(lambda: give(town, owner, 900, stripe_id))) == [False] * (AT_ONCE - 1) + [True]
    assert left(town, owner) == 900


def test_refund_is_taken_back_once(town: Town, owner: Owner) -> None:
    """A refund takes what is left of the credits, once, however often it is told."""
    give(town, owner, 900)
    use(town, owner, 500)
    refund_id = f"re_{uuid4().hex}"

    def refund() -> bool:
        with town.running.cloud.transaction() as work:
            return take_back(work, account_of(owner), 900, kind="refund", payment_id="pi", stripe_id=refund_id)

    assert sorted(at_once(refund)) == [False] * (AT_ONCE - 1) + [True]
    assert left(town, owner) == 0


@pytest.mark.parametrize("microdollars", [0, -5])
def test_database_refuses_no_movement(town: Town, owner: Owner, microdollars: int) -> None:
    """The database itself keeps out a posting that moves nothing or backwards."""
    with pytest.raises(IntegrityError):
        give(town, owner, microdollars)


def test_database_refuses_debt(town: Town, owner: Owner) -> None:
    """The database itself keeps a balance from falling below nothing."""
    give(town, owner, 10)
    with pytest.raises(IntegrityError), town.running.cloud.transaction() as work:
        work.session.execute(update(Balance).where(Balance.microdollars == 10).values(microdollars=-1))


def test_wrong_balance_is_found(town: Town, owner: Owner) -> None:
    """A balance that was changed without a posting is named when the books are checked."""
    give(town, owner, 10)
    account = f"user:{owner.user_id}" if owner.user_id else f"organization:{owner.organization_id}"
    database = town.running.cloud.database
    for microdollars, found in ((9, [account]), (10, [])):
        with database.writing() as session:
            session.execute(update(Balance).where(Balance.account == account).values(microdollars=microdollars))
        with database.reading() as session:
            assert list_discrepancies(session) == found
