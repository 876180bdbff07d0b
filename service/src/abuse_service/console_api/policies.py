"""The policy in force and those before it, as operators read and change them (ADR 0013)."""

from typing import Any

import msgspec

from abuse_service.console_api.instants import iso
from abuse_service.decisions.decision import Decision, RuleOutcome
from abuse_service.decisions.standing import GuardedRule
from abuse_service.errors import BadRequest, NotFound, PolicyError, Unprocessable
from abuse_service.features.catalog import Feature
from abuse_service.flow import Flow
from abuse_service.policy.book import Entry
from abuse_service.policy.diff import diff
from abuse_service.policy.policy import Policy, Rule, read_document
from abuse_service.policy.vocabulary import FACTS
from abuse_service.versions import Versions

_LONGEST_REASON = 1024
_MOST_LOOKED_AT = 1_000
_MOST_HITS = 10
_decision = msgspec.json.Decoder(Decision).decode


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator wants in force: a text, or a version that was before; nothing for a rollback."""

    reason: str
    text: str | None = None
    version: str | None = None


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that is to be tried."""

    text: str


class Policies:
    """Answers about policies, and changes the one in force."""

    def __init__(self, flow: Flow, versions: Versions) -> None:
        self._flow = flow
        self._versions = versions
        self._book = versions.book

    def look_up(self, name: str, asked: dict[str, str]) -> Any:
        """What ``GET policy/…`` answers. Raises `NotFound`, or `PolicyError` for a text that no longer reads."""
        head, _, rest = name.partition("/")
        if not name:
            return self._current()
        if head == "versions":
            return self._text(rest) if rest else {"versions": [self._version(one) for one in self._book.versions]}
        if name == "history":
            return {"history": [_entry(entry) for entry in reversed(self._book.history)]}
        if name == "diff":
            return self._diff(asked.get("from", ""), asked.get("to", ""))
        if head == "why" and rest:
            return self._why(rest)
        raise NotFound("no such route")

    async def change(self, name: str, body: bytes, actor: str) -> Any:
        """What ``POST policy/…`` does. Raises `PolicyError` and more; then the policy in force goes on."""
        if name == "check":
            return await self._check(_read(body, Draft).text)
        if name not in ("activate", "rollback"):
            raise NotFound("no such route")
        wish = _read(body, Change)
        if not wish.reason.strip() or len(wish.reason) > _LONGEST_REASON:
            raise Unprocessable(f"expected why, in 1 to {_LONGEST_REASON} characters", path="reason")
        before = self._versions.active.version
        if name == "rollback":
            is_changed = await self._versions.roll_back(reason=wish.reason, actor=actor)
        else:
            if (wish.text is None) == (wish.version is None):
                raise BadRequest("expected either text or version")
            text = wish.text if wish.text is not None else self._book.text(wish.version or "")
            is_changed = await self._versions.activate(text, reason=wish.reason, actor=actor)
        return self._current() | {"is_changed": is_changed, "before": before}

    async def _check(self, text: str) -> dict[str, Any]:
        try:
            policy = await self._versions.check(text)
        except PolicyError as error:
            return {"is_sound": False, "errors": [error.view()]}
        return {"is_sound": True, "errors": [], **summary(policy), "diff": self._lines(self._active, policy)}

    @property
    def _active(self) -> Policy:
        return self._versions.active

    def _current(self) -> dict[str, Any]:
        policy = self._active
        entry = self._book.history[-1] if self._book.history else None
        features = self._flow.projection.catalog.features
        return {
            **summary(policy),
            "title": policy.document.title,
            "is_enforced": self._flow.is_enforced,
            "since": _entry(entry) if entry else None,
            "features": {name: self._feature(features[name]) for name in policy.document.features},
            "rules": [msgspec.to_builtins(rule) for rule in policy.document.rules],
            "trust": [msgspec.to_builtins(trust) for trust in policy.document.trust],
            "thresholds": policy.document.thresholds,
            "guard": msgspec.to_builtins(policy.document.guard),
            "guarded": [_guarded_view(rule) for rule in self._flow.judge.standing.guarded.values()],
        }

    def _feature(self, feature: Feature) -> dict[str, Any]:
        """A feature as it is declared, and how far it knows the past."""
        upkeep = self._flow.projection.upkeep
        since_ms = upkeep.complete_since_ms(feature.base)
        said: dict[str, Any] = msgspec.to_builtins(feature.declaration)
        return said | {
            "is_complete": since_ms is not None,
            "complete_since": iso(since_ms) if since_ms else None,
            "share_filled": round(upkeep.share_filled(feature.base), 4),
        }

    def _version(self, version: str) -> dict[str, Any]:
        entries = [entry for entry in self._book.history if entry.version == version]
        try:
            title = read_document(self._book.text(version)).title
        except PolicyError:
            title = ""
        return {
            "version": version,
            "title": title,
            "first_at": iso(entries[0].at_ms),
            "activations": len(entries),
            "is_active": version == self._active.version,
        }

    def _text(self, version: str) -> dict[str, Any]:
        found = self._book.find(version)
        return {"version": found, "text": self._book.text(found)}

    def _diff(self, old: str, new: str) -> dict[str, Any]:
        old_text, new_text = (self._book.text(name) if name else self._active.text for name in (old, new))
        names = [self._book.find(name) if name else self._active.version for name in (old, new)]
        lines = diff(read_document(old_text), read_document(new_text))
        return {"from": names[0], "to": names[1], "lines": lines}

    def _lines(self, old: Policy, new: Policy) -> list[str]:
        return diff(old.document, new.document)

    def _why(self, rule_id: str) -> dict[str, Any]:
        """All about one rule of the policy in force: what it claims, what it reads, and when it had a say of late."""
        policy = self._active
        view = explain_rule(policy, rule_id)
        features = self._flow.projection.catalog.features
        reads = view["reads"]
        view["features"] = {name: self._feature(features[name]) for name in reads if name in features}
        guarded = self._flow.judge.standing.guarded.get(rule_id)
        return view | {"guarded": _guarded_view(guarded) if guarded else None, "hits": self._hits(rule_id)}

    def _hits(self, rule_id: str) -> list[dict[str, Any]]:
        """The newest decisions in which the rule had a say, among the last events of the log."""
        log = self._flow.event_log
        name = rule_id.encode()
        found: list[dict[str, Any]] = []
        for stored in log.read(max(0, log.last_position - _MOST_LOOKED_AT)):
            outcome = stored.event.outcome
            if outcome is None or name not in outcome:
                continue
            decision = _decision(outcome)
            found += [_hit(decision, rule) for rule in decision.rules if rule.rule_id == rule_id]
        return found[-_MOST_HITS:][::-1]


def summary(policy: Policy) -> dict[str, Any]:
    """A policy in numbers."""
    rules = policy.document.rules
    return {
        "version": policy.version,
        "counts": {
            "features": len(policy.document.features),
            "rules": len(rules),
            "cases": sum(len(rule.cases) for rule in rules),
        },
    }


def explain_rule(policy: Policy, rule_id: str) -> dict[str, Any]:
    """A rule with all that it reads and its cases. Raises `NotFound`."""
    rule = next((rule for rule in policy.every if rule.text.id == rule_id), None)
    if rule is None:
        raise NotFound("the policy has no rule with this id; abuse-service policy show lists them")
    outcomes = {one.case.name: one.fired for one in policy.try_cases() if one.rule_id == rule_id}
    said: dict[str, Any] = msgspec.to_builtins(rule.text)
    cases = [case | {"fired": outcomes[case["name"]]} for case in said["cases"]]
    return said | {"cases": cases, **_inputs(policy, rule)}


def _inputs(policy: Policy, rule: Rule) -> dict[str, Any]:
    text = rule.text
    constants = sorted(policy.constants.keys() & set(rule.reads))
    return {
        "reads": list(rule.reads),
        "facts": {name: FACTS[name][1] for name in rule.reads if name in FACTS},
        "constants": {name: policy.constants[name] for name in constants},
        "policy_version": policy.version,
        "condition": text.when,
    }


def _guarded_view(rule: GuardedRule) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(rule)
    return view | {"guarded_at": iso(view.pop("guarded_at_ms"))}


def _hit(decision: Decision, rule: RuleOutcome) -> dict[str, Any]:
    return {
        "request_id": decision.request_id,
        "decided_at": iso(decision.decided_at_ms),
        "identity_key": decision.identity_key,
        "state": rule.state,
        "reason": rule.reason,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(entry)
    del said["at_ms"]
    return said | {"at": iso(entry.at_ms)}


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"expected {', '.join(kind.__struct_fields__)}: {error}") from None
