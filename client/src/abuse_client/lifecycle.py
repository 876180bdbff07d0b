"""What happens to clients when the process forks, and when it ends."""

import atexit
import os
import sys
import time
import weakref
from typing import Protocol

from abuse_client.settings import Settings


class Watched(Protocol):
    """Something that lives in a thread and must know of forks and of the end."""

    settings: Settings

    def begin_again_after_fork(self) -> None: ...

    def close(self, timeout_s: float) -> bool: ...


_watched: "weakref.WeakSet[Watched]" = weakref.WeakSet()
_child_finalizer_pid = 0


def watch(engine: Watched) -> None:
    """Tell ``engine`` of forks, and close it at exit while anything holds it."""
    _watched.add(engine)


def watch_child_exit() -> None:
    """See to it that a `multiprocessing` child flushes too: it ends without running `atexit`."""
    global _child_finalizer_pid
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is None or multiprocessing.parent_process() is None or _child_finalizer_pid == os.getpid():
        return
    _child_finalizer_pid = os.getpid()
    multiprocessing.util.Finalize(None, _close_all, exitpriority=0)


def _close_all() -> None:
    engines = list(_watched)
    if not engines:
        return
    until = time.monotonic() + max(engine.settings.exit_flush_s for engine in engines)
    for engine in engines:
        engine.close(until - time.monotonic())


def _begin_again() -> None:
    for engine in list(_watched):
        engine.begin_again_after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_again)
