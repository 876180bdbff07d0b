"""How a guard behaves."""

import enum

import msgspec


class Mode(enum.StrEnum):
    """Whether a guard acts."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    """Nobody is refused or kept waiting; the log says what would have been done."""


class GuardSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a guard may do, and how long it remembers."""

    mode: Mode = Mode.ENFORCE
    deadline_s: float = 2.0
    """How long the answer to one question may take."""
    always_waits: bool = False
    """Whether every request waits for its own answer. Otherwise only those of an identity with an action in force."""
    can_challenge: bool = False
    """Whether the product can ask for the proof. If not, a challenge is carried out as the action that goes with it."""
    free_model: str | None = None
    """What ``quarantine-3`` routes to where the answer names no model; ``None`` leaves the model as it is."""
    retry_after_s: int = 60
    """What 429 asks for where the answer does not say."""
    quarantine_1_s: float = 2.0
    quarantine_2_s: float = 6.0
    quarantine_3_s: float = 6.0
    remembered_identities: int = 50_000
    """How many actions are remembered; beyond it the one that was needed least lately goes."""
    remembered_for_s: float = 3600.0
    """How long an action is remembered after the last answer that named it."""
