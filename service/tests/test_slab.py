"""Bytes in a slab: what is put is there under its handle until it is given back, wherever it was moved to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_service.identities.slab import SEGMENT_BYTES, Slab


class Shelf:
    """A dict whose values lie in a slab."""

    def __init__(self) -> None:
        self.handles: dict[bytes, int] = {}
        self.slab = Slab(lambda key, handle: self.handles.get(key) == handle, self.handles.__setitem__)

    def put(self, key: bytes, body: bytes) -> None:
        """Keep a body in place of an earlier one."""
        self.drop(key)
        self.handles[key] = self.slab.put(key, body)

    def drop(self, key: bytes) -> None:
        """Keep nothing under the key."""
        if key in self.handles:
            self.slab.give_back(key, self.handles.pop(key))

    def all(self) -> dict[bytes, bytes]:
        """What is kept."""
        return {key: self.slab.get(handle) for key, handle in self.handles.items()}


keys = st.binary(min_size=1, max_size=17)
bodies = st.sampled_from([0, 1, 100, 100_000, SEGMENT_BYTES // 2, 2 * SEGMENT_BYTES]).map(lambda size: b"x" * size)


@given(st.lists(st.tuples(keys, st.none() | bodies) | st.just("tidy"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_slab_is_a_dict(steps: list[tuple[bytes, bytes | None] | str]) -> None:
    """Whatever is put, replaced, given back and tidied, each key reads its last body."""
    shelf, model = Shelf(), {}
    for step in steps:
        if isinstance(step, str):
            shelf.slab.tidy()
        elif step[1] is None:
            shelf.drop(step[0])
            model.pop(step[0], None)
        else:
            shelf.put(*step)
            model[step[0]] = step[1]
        assert shelf.all() == model


def test_memory_follows_what_is_wanted() -> None:
    """A hundred times replaced, the bodies take little more than once their size; given back, next to nothing."""
    shelf = Shelf()
    for turn in range(100):
        for number in range(5_000):
            shelf.put(number.to_bytes(17, "big"), bytes(500 + (turn * 7 + number) % 400))
        for _ in range(10):
            shelf.slab.tidy()
        assert shelf.slab.held_bytes < 1.35 * 5_000 * 720 + 2 * SEGMENT_BYTES
    for number in range(5_000):
        shelf.drop(number.to_bytes(17, "big"))
    assert shelf.slab.held_bytes <= SEGMENT_BYTES


def test_too_large_body_is_refused() -> None:
    """A body beyond what a handle can say is refused."""
    with pytest.raises(ValueError, match="expected at most 16777215 bytes, found 16777216"):
        Shelf().put(b"k", bytes(1 << 24))
