"""What is asked: models with their prices, prompts with their sizes.

Prices are list prices a million tokens, in the range that providers asked in 2025. Half of the worlds sell models
under names that nobody has seen, so that no rule can know a dear model by its name.
"""

import random
from dataclasses import dataclass

from abuse_lab.quality.calls import Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model on sale; prices in microdollars a million tokens."""

    name: str
    provider: str
    input_price: int
    output_price: int

    def usage(self, input_tokens: int, output_tokens: int, seconds: float, *, is_byok: bool = False) -> Usage:
        """What a request of this size uses."""
        total = input_tokens * self.input_price + output_tokens * self.output_price
        return Usage(
            model=self.name,
            cost_microdollars=-(-total // 1_000_000),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            seconds=seconds,
            is_byok=is_byok,
        )


def _model(name: str, input_usd: float, output_usd: float) -> Model:
    return Model(
        name=name,
        provider=name.split("/")[0],
        input_price=round(input_usd * 1_000_000),
        output_price=round(output_usd * 1_000_000),
    )


Tier = tuple[tuple[str, float, float], ...]

_DEAR: Tier = (
    ("anthropic/claude-opus-4.1", 15, 75),
    ("openai/o3-pro", 20, 80),
    ("openai/gpt-5-pro", 15, 120),
    ("anthropic/claude-opus-4", 15, 75),
)
_MIDDLE: Tier = (
    ("anthropic/claude-sonnet-4.5", 3, 15),
    ("openai/gpt-5", 1.25, 10),
    ("google/gemini-2.5-pro", 1.25, 10),
    ("x-ai/grok-4", 3, 15),
)
_CHEAP: Tier = (
    ("openai/gpt-5-mini", 0.25, 2),
    ("x-ai/grok-code-fast-1", 0.2, 1.5),
    ("google/gemini-2.5-flash", 0.3, 2.5),
    ("deepseek/deepseek-chat-v3.1", 0.2, 0.8),
)
_FREE: Tier = (
    ("qwen/qwen3-coder:free", 0.1, 0.4),
    ("minimax/minimax-m2:free", 0.15, 0.6),
    ("z-ai/glm-4.5-air:free", 0.1, 0.5),
)
_HOUSES = ("novalab", "cirrus", "heliograph", "quanta", "bluefin", "ostara", "meridian")
_WORDS = ("titan", "atlas", "sage", "forge", "lumen", "orchid", "falcon", "prism", "delta", "ember")

_TASKS = (
    "explain why the test for {n} fails on windows and mend it",
    "rename the module {n} and update every import",
    "write a migration that adds a column to table {n}",
    "why does the build of {n} take four minutes, and what can be cached",
    "add paging to the list of {n} and cover it with tests",
    "the page {n} flickers when the menu opens; find out why",
    "turn this callback of {n} into async and keep its order",
    "review the change of {n} and name the three riskiest lines",
    "make the parser of {n} accept trailing commas",
    "document the public functions of {n} in one sentence each",
)
_SYSTEM = (
    "You are {name}, a highly skilled software engineer with extensive knowledge in many programming languages, "
    "frameworks, design patterns, and best practices. TOOL USE You have access to a set of tools that are executed "
    "upon the user's approval. SYSTEM INFORMATION Operating System: {os} Default Shell: {shell} Home Directory: {home}"
)
EDITORS = ("VS Code", "JetBrains", "Cursor", "Windsurf", "CLI")


class Shop:
    """The models that one world sells."""

    def __init__(self, rng: random.Random) -> None:
        tiers: tuple[Tier, ...] = (_DEAR, _MIDDLE, _CHEAP, _FREE)
        if rng.random() < 0.5:
            bands = ((12.0, 30.0, 4.5), (1.0, 4.0, 5.0), (0.15, 0.4, 6.0), (0.05, 0.2, 4.0))
            tiers = tuple(_unheard_of(rng, *band) for band in bands)
        self.dear, self.middle, self.cheap, self.free = (tuple(_model(*entry) for entry in tier) for tier in tiers)

    @property
    def all(self) -> tuple[Model, ...]:
        """Every model on sale."""
        return self.dear + self.middle + self.cheap + self.free


def _unheard_of(rng: random.Random, low: float, high: float, spread: float) -> Tier:
    made = []
    for _ in range(4):
        price = round(rng.uniform(low, high), 2)
        name = f"{rng.choice(_HOUSES)}/{rng.choice(_WORDS)}-{rng.randrange(2, 9)}.{rng.randrange(10)}"
        made.append((name, price, round(price * spread, 2)))
    return tuple(made)


def editor_prompt(rng: random.Random, editor: str) -> str:
    """An editor's system prompt: the same text for all its users, but for their machine at its end."""
    os, shell, home = rng.choice(
        (("Windows 11", "pwsh", "C:/Users"), ("macOS 15", "/bin/zsh", "/Users"), ("Linux 6.8", "/bin/bash", "/home"))
    )
    return _SYSTEM.format(name=editor, os=os, shell=shell, home=f"{home}/{rng.randrange(10**6)}")


def task(rng: random.Random) -> str:
    """What a developer types."""
    said = rng.choice(_TASKS).format(n=f"{rng.choice(_WORDS)}_{rng.choice(_WORDS)}")
    return said if rng.random() < 0.6 else f"{said}. {rng.choice(_TASKS).format(n=rng.choice(_WORDS))}"


def template(rng: random.Random) -> tuple[str, str]:
    """A harvester's system prompt and a template with a slot, both his own."""
    topic = rng.choice(
        ("chess openings", "tax law", "organic chemistry", "python puzzles", "case law", "maths olympiads")
    )
    role = rng.choice(("a careful expert", "a teacher", "a reasoning engine", "an annotator"))
    system = (
        f"You are {role} in {topic}. Think step by step, show all reasoning, then answer. id {rng.getrandbits(32):x}"
    )
    wish = rng.choice(("Solve with full reasoning", "Answer at length", "Give ten variants and grade them"))
    return system, f"{wish}: item {{n}} of {topic}, difficulty {{d}}"
