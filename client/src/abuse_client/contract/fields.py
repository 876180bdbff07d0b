"""The kinds of value that the wire knows, each with its limits.

Every alias is an optional field: absent and ``null`` mean the same ("says nothing"). Required fields spell their
type out where they stand.
"""

from typing import Annotated, Any

from msgspec import Meta

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that a JavaScript sender can hold exactly."""

MAX_ID_LENGTH = 1024
"""Characters that an identifier may have; a longer one is malformed."""

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
UserText = Annotated[str, Meta(max_length=MAX_ID_LENGTH)]
Text = str
Integer = Annotated[int, Meta(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
Count = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
Microdollars = Integer
EpochMs = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
RequestId = Annotated[int, Meta(ge=0, le=MAX_SAFE_INTEGER)]
EventId = Annotated[str, Meta(min_length=1, max_length=64)]
Json = Any
