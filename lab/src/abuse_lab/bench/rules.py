"""``bench rules``: the rule step of a decision, 20 rules over known values, against the CEL engines on PyPI."""

import gc
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cel as rust
import msgspec
from cel_expr_python import cel as reference

from abuse_lab.bench.figures import UNIT, Figure, Result, at_least, gather
from abuse_lab.bench.options import Options
from abuse_lab.bench.runs import NotAsSent, fresh_seed, interleave
from abuse_service.cel.program import Kind
from abuse_service.cel.vocabulary import Vocabulary, environment
from abuse_service.policy.policy import load_policy

RULES = 20
COPIES = 10
FURTHER = (
    "requests_1h > 300 && request.is_library_agent && !request.has_tools && !identity.is_trusted",
    "request.model.contains('opus') && identity.age_days < 1.0 && requests_24h > 40 && !identity.is_paying",
    "identity.is_anonymous && requests_1h > 60 && !request.has_editor && request.max_tokens > 16000",
    "identity.mailbox_digits >= 6 && identity.age_days < 2.0 && network_signups_24h > 1 && !identity.has_sso",
    "identity.spent_microdollars - identity.paid_microdollars > 5000000 && !identity.has_sso && !identity.is_trusted",
)
"""Beside the rules of the policy that ships, up to twenty."""

_CONSTANT = re.compile(r"\b(?:threshold|list)\.\w+")
_MODELS = ("claude-opus-4", "gpt-5-pro", "claude-haiku-4", "gemini-flash", "qwen-coder", "")
_MOST = {"_24h": 120, "_1h": 700, "_1m": 130, "_microdollars": 3_000_000, "max_tokens": 40_000, "users": 4}

Values = dict[str, Any]
Told = list[bool]


def measure(options: Options) -> Result:
    """``speed_vs_best_cel`` with 20 rules, the same with 200, and microseconds of each engine."""
    situations = options.pick(full=4000, quick=200)
    runs = gather([_run(situations, number) for number in range(options.runs)])
    engines = "the faster of cel-expr-python and common-expression-language, same rules and values, same run, in turns"
    return Result(
        bench="rules",
        is_quick=options.is_quick,
        figures={
            name: Figure(
                runs=values,
                goal=at_least(5) if name == "speed_vs_best_cel" else None,
                against=engines if name.startswith("speed_vs_best_cel") else UNIT,
            )
            for name, values in runs.items()
        },
    )


class Rules:
    """The rules as texts over one vocabulary; each copy has thresholds of its own."""

    def __init__(self, copies: int) -> None:
        policy = load_policy(None)
        self.kinds: Mapping[str, Kind] = policy.vocabulary.names
        texts = [*(rule.text.when for rule in policy.rules), *FURTHER][:RULES]
        if len(texts) != RULES:
            raise NotAsSent(f"{len(texts)} rules, expected {RULES}")
        self.texts = [(text, _moved(policy.constants, copy)) for copy in range(copies) for text in texts]
        vocabulary = Vocabulary(self.kinds)
        self._compiled = [vocabulary.compile(text, "rules", constants=constants) for text, constants in self.texts]
        self.ours: Callable[[Values], Told] = vocabulary.together(self._compiled).run
        read = {name for expression in self._compiled for name in expression.reads}
        self.names = sorted(read - policy.constants.keys())

    def written_out(self) -> list[str]:
        """For engines that bind no constants: the same texts with each one's value in its place."""
        return [
            _CONSTANT.sub(lambda name: msgspec.json.encode(constants[name[0]]).decode(), text)  # noqa: B023
            for text, constants in self.texts
        ]

    def situation(self, chance: random.Random) -> Values:
        """Values for all names."""
        return {name: _value(name, self.kinds[name], chance) for name in self.names}


def _moved(constants: Values, copy: int) -> Values:
    return {name: value if isinstance(value, list) else value + copy for name, value in constants.items()}


def _value(name: str, kind: Kind, chance: random.Random) -> Any:
    if kind is Kind.BOOL:
        return chance.random() < 0.2
    most = next((most for end, most in _MOST.items() if name.endswith(end)), 10)
    if kind is Kind.INT:
        return chance.randrange(most)
    if kind is Kind.DOUBLE:
        return chance.random() * (100.0 if name.endswith("days") else 1.0)
    return chance.choice(("", "ALLOW", "BLOCK") if name == "device.action" else _MODELS)


def _run(situations: int, number: int) -> dict[str, float]:
    chance = random.Random(fresh_seed())
    found: dict[str, float] = {}
    for copies in (1, COPIES):
        rules = Rules(copies)
        values = [rules.situation(chance) for _ in range(situations // copies)]
        seconds = _seconds(rules, values, number)
        count = RULES * copies
        for engine, taken in seconds.items():
            found[f"{engine}_{count}_microseconds"] = taken / len(values) * 1e6
        best = min(taken for engine, taken in seconds.items() if engine != "ours")
        found["speed_vs_best_cel" if copies == 1 else f"speed_vs_best_cel_{count}"] = best / seconds["ours"]
    return dict(sorted(found.items(), key=lambda figure: not figure[0].startswith("speed")))


def _seconds(rules: Rules, values: Sequence[Values], number: int) -> dict[str, float]:
    nested = [_nested(given) for given in values]
    engines: dict[str, tuple[Callable[[Values], Told], Sequence[Values]]] = {
        "ours": (rules.ours, values),
        "cel_expr_python": (_reference(rules, together=True), values),
        "cel_expr_python_one_by_one": (_reference(rules, together=False), values),
        "common_expression_language": (_rust(rules), nested),
    }
    told = {name: [run(given) for given in inputs] for name, (run, inputs) in engines.items()}
    for name, answers in told.items():
        if answers != told["ours"]:
            raise NotAsSent(f"{name} and the service tell the rules apart")
    return interleave(number, {name: _timed(run, inputs) for name, (run, inputs) in engines.items()})


def _timed(run: Callable[[Values], Told], inputs: Sequence[Values]) -> Callable[[], float]:
    def measure_once() -> float:
        gc.collect()
        gc.disable()
        try:
            started = time.perf_counter()
            for given in inputs:
                run(given)
            return time.perf_counter() - started
        finally:
            gc.enable()

    return measure_once


def _reference(rules: Rules, *, together: bool) -> Callable[[Values], Told]:
    """Google's engine: all rules as one list, which saves calls, or one by one over values that are bound once."""
    engine = environment({name: rules.kinds[name] for name in rules.names})
    if together:
        whole = engine.compile(f"[{', '.join(f'({text})' for text in rules.written_out())}]")
        return lambda given: whole.eval(data=given).plain_value()
    each = [engine.compile(text) for text in rules.written_out()]

    def one_by_one(given: Values) -> Told:
        bound: reference.Activation = engine.Activation(given)
        return [expression.eval(bound).plain_value() for expression in each]

    return one_by_one


def _rust(rules: Rules) -> Callable[[Values], Told]:
    """The Rust binding, which knows dotted names as fields only."""
    execute: Callable[[Values], Told] = rust.compile(
        f"[{', '.join(f'({text})' for text in rules.written_out())}]"
    ).execute
    return execute


def _nested(given: Values) -> Values:
    found: Values = {}
    for name, value in given.items():
        *holders, last = name.split(".")
        inner = found
        for holder in holders:
            inner = inner.setdefault(holder, {})
        inner[last] = value
    return found
