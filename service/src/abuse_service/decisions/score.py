"""Risk from weights: more evidence never lowers it, trust does, and each has its share of it."""

import math
from collections.abc import Sequence

_DIGITS = 4
_ALMOST_ONE = 1.0 - 1e-9


def combine(evidence: Sequence[float], trust: Sequence[float]) -> tuple[float, list[float], list[float]]:
    """The risk, 0 to 1, with the share of each weight of ``evidence`` and, zero or less, of each of ``trust``.

    Evidence counts as independent: one minus the product of what each weight leaves open ("noisy or", Pearl 1988).
    Trust takes its share of what is left, one after the other. Shares are in proportion to the logarithms, and add up
    to the risk to the last digit.
    """
    opened = [math.log1p(-min(weight, _ALMOST_ONE)) for weight in evidence]
    raised = 1.0 - math.prod(1.0 - weight for weight in evidence)
    kept = [math.log1p(-min(weight, _ALMOST_ONE)) for weight in trust]
    risk = round(raised * math.prod(1.0 - weight for weight in trust), _DIGITS)
    gains = _split(round(raised, _DIGITS), opened)
    return risk, gains, _split(round(risk - round(raised, _DIGITS), _DIGITS), kept)


def _split(total: float, parts: list[float]) -> list[float]:
    """The total in proportion to the parts, rounded; what rounding leaves over goes to the largest."""
    whole = sum(parts)
    if not whole:
        return [0.0] * len(parts)
    shares = [round(total * part / whole, _DIGITS) for part in parts]
    largest = max(range(len(parts)), key=lambda place: abs(parts[place]))
    shares[largest] = round(shares[largest] + total - sum(shares), _DIGITS)
    return shares
