"""A law of conditions: no comparison whose answer a feature's own bound gives away."""

from collections.abc import Mapping, Sequence

from abuse_service.cel.uses import Comparison
from abuse_service.cel.vocabulary import Expression
from abuse_service.features.bounds import largest_value
from abuse_service.features.declaration import Aggregate, Declaration


def check_reach(section: str, conditions: Sequence[Expression], features: Mapping[str, Declaration]) -> None:
    """Refuse a condition that holds a feature against a number which it can never reach.

    ``conditions`` are those of a section, in its order. Raises `ExpressionError` that shows the comparison.
    """
    for index, condition in enumerate(conditions):
        for found in condition.comparisons():
            said = features.get(found.name)
            largest = largest_value(said) if said is not None else None
            if said is not None and largest is not None and _is_settled(found, largest):
                path = f"{section}[{index}].when"
                raise condition.error_at(_fault(found, said, largest), found.at, path, through=found.name)


def _is_settled(found: Comparison, largest: float) -> bool:
    """Whether the comparison comes out alike for every value, all of them being from 0 to the largest."""
    if found.number == largest:
        return found.operator in (">", "<=")
    return found.number > largest


def _fault(found: Comparison, said: Declaration, largest: float) -> str:
    outcome = "always holds" if found.operator in ("<", "<=", "!=") else "never holds"
    told = f"{found.name} is {largest:,.6g} at most, so {found.operator} {found.number:,} {outcome}"
    if said.aggregate is Aggregate.RATIO:
        return told
    return f"{told}; declare it approximate, or choose a smaller number"
