"""What is said when a body does not keep the contract.

ContractError
├── MalformedJson      the bytes are no JSON object (HTTP 400)
└── InvalidField       a required field is missing or wrong (HTTP 422)
"""


class ContractError(ValueError):
    """A body does not keep the contract.

    ``path`` names the place (``events[3].data.email``, empty for the whole body); the message says what was found and
    what was expected, and never repeats a value, which may be personal.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message

    def within(self, parent: str) -> "ContractError":
        """The same error seen from one level further out."""
        return type(self)(join_path(parent, self.path), self.message)


class MalformedJson(ContractError):
    """The bytes are no JSON object."""


class InvalidField(ContractError):
    """A required field is missing or wrong."""


def join_path(parent: str, child: str) -> str:
    """``events[3]`` and ``data.email`` make ``events[3].data.email``."""
    if not parent or not child:
        return parent or child
    return parent + child if child.startswith("[") else f"{parent}.{child}"
