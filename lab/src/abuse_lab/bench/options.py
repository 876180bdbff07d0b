"""How a benchmark is run."""

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """``is_quick``: smaller than the figures are defined on, to see that it works."""

    runs: int = 5
    is_quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        """The size to use."""
        return quick if self.is_quick else full
