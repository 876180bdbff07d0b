"""What a pattern's module is given: chance, people, networks, models, and a stretch of days to fill.

No threshold of any policy is known here, and none of the modules that use it may import one.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from abuse_lab.quality.actor import DAY_MS, HOUR_MS, MINUTE_MS, Actor, Habits
from abuse_lab.quality.calls import Account, Call, Endpoint, Fields
from abuse_lab.quality.cloud import Cloud
from abuse_lab.quality.models import EDITORS, Model, Shop
from abuse_lab.quality.network import Connection, Networks, Place
from abuse_lab.quality.person import People, Person

__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "Abuser", "Actor", "Habits", "Scene"]

_RETRIES = (0, 0, 0, 3, 3)
"""Two clients of five ask three times again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Abuser:
    """What an abusive pattern's people can do when challenged: chances to pass a turnstile and a payment check."""

    turnstile: float = 0.5
    payment: float = 0.1


class Scene:
    """One pattern's part of one world."""

    def __init__(
        self,
        *,
        pattern: str,
        rng: random.Random,
        cloud: Cloud,
        shop: Shop,
        start_ms: int,
        days: int,
        size: float,
        abuser: Abuser | None = None,
    ) -> None:
        self.pattern = pattern
        self.rng = rng
        self.cloud = cloud
        self.shop = shop
        self.start_ms = start_ms
        self.days = days
        self.people = People(rng)
        self.networks = Networks(rng)
        self.accounts: list[Account] = []
        self.calls: list[Call] = []
        self._size = size
        self._abuser = abuser

    def number(self, low: int, high: int) -> int:
        """How many, between two bounds, made smaller with the world."""
        return max(2, round(self.rng.randint(low, high) * self._size))

    def requests(self, low: int, high: int) -> int:
        """How many requests, between two bounds; most draws lie near the lower."""
        share = self.rng.random() ** 2
        return max(1, round(low + (high - low) * share))

    def actor(self, person: Person | None = None, home: Connection | None = None, **more: Any) -> Actor:
        """A new account of this pattern; without a sign-up it is as old as its owner says."""
        rng, abuser = self.rng, self._abuser
        person = person or self.people.person()
        account = Account(
            user_id=more.pop("known_as", person.user_id),
            pattern=self.pattern,
            is_abusive=abuser is not None,
            passes_turnstile=abuser is None or rng.random() < abuser.turnstile,
            passes_payment=abuser is None or rng.random() < abuser.payment,
            retries=rng.choice(_RETRIES),
        )
        self.accounts.append(account)
        actor = Actor(
            account=account,
            person=person,
            home=home or self.networks.home(),
            cloud=self.cloud,
            rng=rng,
            people=self.people,
            habits=Habits(),
            created_at_ms=more.pop("created_at_ms", self.start_ms - rng.randrange(30, 700) * DAY_MS),
            calls=self.calls,
            **more,
        )
        actor.use_editor(rng.choice(EDITORS), max_tokens=rng.choice((None, None, 4096, 8192, 16_384)))
        return actor

    def visitor(self, home: Connection) -> Actor:
        """Somebody who asks without an account; the gateway names him by a made-up id or not at all."""
        person = self.people.person()
        made_up = f"anon:{person.user_id[:12]}" if self.cloud.names_visitors else ""
        return self.actor(replace(person, user_id=made_up), home, known_as=f"visitor-{person.user_id}")

    def organization(self, plan: str | None = None, *, has_sso: bool = False, in_free_trial: bool = False) -> Fields:
        """A new organization as its events tell it, on a paid plan unless it is in trial."""
        return {
            "organization_id": f"org-{self.rng.getrandbits(64):016x}",
            "plan": plan or self.rng.choice(("teams", "enterprise")),
            "has_sso": has_sso,
            "in_free_trial": in_free_trial,
        }

    # an operator's deeds

    def block_listed(self, at_ms: int, actor: Actor, entry: str, reason: str) -> None:
        """An operator puts an entity, such as ``domain:example.com``, in the list of those who are not served."""
        self._list(Endpoint.BLOCK, at_ms, actor, entry, reason)

    def trust_listed(self, at_ms: int, actor: Actor, entry: str, reason: str) -> None:
        """An operator puts an entity in the list of those whom no rule touches."""
        self._list(Endpoint.TRUST, at_ms, actor, entry, reason)

    def _list(self, endpoint: Endpoint, at_ms: int, actor: Actor, entry: str, reason: str) -> None:
        fields = {"entry": entry, "reason": reason}
        self.calls.append(Call(at_ms=at_ms, endpoint=endpoint, account=actor.account, fields=fields))

    # times

    def moment(self, first_day: float = 0.0, last_day: float | None = None) -> int:
        """Some instant of the stretch, or of a part of it."""
        last = self.days if last_day is None else last_day
        return self.start_ms + int(self.rng.uniform(first_day, last) * DAY_MS)

    def working_hour(self, day: int, place: Place) -> int:
        """An instant of a day at which people of the place work."""
        hour = self.rng.triangular(8, 20, 14) - place.hours_east
        return self.start_ms + day * DAY_MS + int((hour % 24) * HOUR_MS)

    def session(self, at_ms: int, requests: int, seconds: tuple[float, float] = (15, 90)) -> Iterator[int]:
        """Instants of requests one after the other, as a person and his tool make them."""
        for _ in range(requests):
            yield at_ms
            at_ms += int(self.rng.uniform(*seconds) * 1000)

    # usual deeds

    def work(self, actor: Actor, requests: int, models: tuple[Model, ...], first_day: int = 0) -> None:
        """Spread so many requests over sessions on working days, from home with the actor's tool."""
        tool = self.networks.as_tool(actor.home)
        while requests > 0:
            day = self.rng.randrange(first_day, self.days)
            at_ms = max(self.working_hour(day, actor.home.place), actor.created_at_ms + 5 * MINUTE_MS)
            sitting = min(requests, self.rng.randrange(4, 25))
            model = self.rng.choice(models)
            for at in self.session(at_ms, sitting):
                actor.ask(at, model if self.rng.random() < 0.8 else self.rng.choice(models), connection=tool)
            requests -= sitting

    def work_within(self, actor: Actor, budget_microdollars: int, models: tuple[Model, ...], most: int) -> None:
        """Ask now and then until a budget is nearly used up, never past it."""
        tool = self.networks.as_tool(actor.home)
        at_ms = actor.created_at_ms + self.rng.randrange(2, 30) * MINUTE_MS
        end_ms = self.start_ms + self.days * DAY_MS
        for _ in range(most):
            model = self.rng.choice(models)
            tokens = (int(self.rng.lognormvariate(8.5, 0.8)), int(self.rng.lognormvariate(5.8, 0.7)))
            cost = model.usage(*tokens, 1.0).cost_microdollars
            if cost > budget_microdollars or at_ms > end_ms:
                return
            budget_microdollars -= cost
            actor.ask(at_ms, model, tokens=tokens, connection=tool)
            gap = self.rng.uniform(15, 90) if self.rng.random() < 0.85 else self.rng.uniform(3600, 30_000)
            at_ms += int(gap * 1000)

    def veteran(self, actor: Actor, cents: int, days_ago: int) -> None:
        """Sign up long ago and pay then; what the cloud told of it came at its time."""
        at_ms = self.start_ms - days_ago * DAY_MS + self.rng.randrange(8 * HOUR_MS)
        actor.sign_up(at_ms)
        method_at = at_ms + self.rng.randrange(5, 300) * MINUTE_MS
        actor.attach(method_at)
        actor.pay(method_at + 20_000, cents)

    def use_up(self, actor: Actor, at_ms: int, requests: int, models: tuple[Model, ...], **how: Any) -> int:
        """Drain in one go or, mostly, in two to four on the days that are left, as daily quotas come back."""
        sittings = 1 if self.rng.random() < 0.25 else self.rng.randrange(2, 5)
        end_ms = self.start_ms + self.days * DAY_MS
        share = max(1, requests // sittings)
        ended_ms = self.drain(actor, at_ms, share, models, **how)
        for _ in range(1, sittings):
            self.drain(actor, self.rng.randrange(ended_ms, max(end_ms, ended_ms + DAY_MS)), share, models, **how)
        return ended_ms

    def drain(self, actor: Actor, at_ms: int, requests: int, models: tuple[Model, ...], **how: Any) -> int:
        """Ask so many times in one go; when it ended. ``seconds`` bounds the pauses, ``tokens`` the sizes."""
        seconds = how.get("seconds", (2.0, 12.0))
        large_in, large_out = how.get("tokens", (12_000, 1_500))
        connection = how.get("connection") or actor.home
        for at in self.session(at_ms, requests, seconds):
            tokens = (int(large_in * self.rng.uniform(0.5, 1.5)), int(large_out * self.rng.uniform(0.5, 1.5)))
            prompt = how["prompt"](self.rng) if "prompt" in how else None
            actor.ask(at, self.rng.choice(models), tokens=tokens, connection=connection, prompt=prompt)
            at_ms = at
        return at_ms
