"""What a gateway makes of an answer, and how the person behind the account takes a challenge.

- *Today's* gateway obeys the resolved action alone: ``block`` and ``rate-limit`` refuse this request, ``quarantine-3``
  routes it to a free model (own keys excepted), ``quarantine-1`` and ``-2`` only delay it, all else changes nothing.
- A *rich* gateway obeys the verdict too: HARD_BLOCK refuses, a SOFT_BLOCK's model override is taken. A CHALLENGE is put
  to the owner, and until he has passed that kind once it refuses; the action that goes with it is for those who can't.
- Honest people pass every challenge at once: the request that was challenged goes on. An abuser passes a turnstile or a
  payment check by chance, drawn once for his account (`Abuser`); who fails is refused as long as he is challenged.
- Some clients ask three times again after a refusal (`Account.retries`), honest ones too: what is refused each time was
  not spent, and one that is answered late was.
"""

import enum
from dataclasses import dataclass

from abuse_client.contract import ChallengeType, Classification, ResolvedAction, Verdict
from abuse_lab.quality.calls import Account, Usage
from abuse_lab.quality.cloud import Profile


class Fate(enum.Enum):
    """What becomes of a request."""

    PROXIED = "proxied"
    REROUTED = "rerouted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A request's fate and what it cost."""

    fate: Fate
    cost_microdollars: int


def obey(answer: Classification, account: Account, usage: Usage, profile: Profile) -> Outcome:
    """The fate of a request under an answer."""
    fate = _fate(answer, account, usage, profile)
    cost = {
        Fate.PROXIED: usage.cost_microdollars,
        Fate.REROUTED: usage.cost_on_free_model,
        Fate.REFUSED: 0,
    }[fate]
    return Outcome(fate=fate, cost_microdollars=cost)


def _fate(answer: Classification, account: Account, usage: Usage, profile: Profile) -> Fate:
    action = answer.rules_engine.resolved_action if answer.rules_engine else None
    if profile is Profile.RICH and answer.verdict is Verdict.CHALLENGE:
        return Fate.PROXIED if _passes(answer.action_metadata.challenge_type, account) else Fate.REFUSED
    if action in (ResolvedAction.BLOCK, ResolvedAction.RATE_LIMIT):
        return Fate.REFUSED
    if profile is Profile.RICH:
        if answer.verdict is Verdict.HARD_BLOCK:
            return Fate.REFUSED
        has_override = answer.verdict is Verdict.SOFT_BLOCK and answer.action_metadata.model_override is not None
        if has_override and not usage.is_byok:
            return Fate.REROUTED
    if action is ResolvedAction.QUARANTINE_3 and not usage.is_byok:
        return Fate.REROUTED
    return Fate.PROXIED


def _passes(challenge: str | None, account: Account) -> bool:
    if challenge == ChallengeType.PAYMENT_VERIFICATION:
        return account.passes_payment
    return account.passes_turnstile
