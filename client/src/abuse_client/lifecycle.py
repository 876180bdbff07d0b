"""What happens to clients when the process forks, and when it ends."""

import atexit
import os
import sys
import time
import weakref
from typing import Any, Protocol

from abuse_client.settings import Settings


class Watched(Protocol):
    """Something that lives in a thread and must know of forks and of the end."""

    settings: Settings

    def rest_before_fork(self) -> None: ...

    def resume_after_fork(self) -> None: ...

    def begin_again_after_fork(self) -> None: ...

    def close(self, timeout_s: float) -> bool: ...


_watched: "weakref.WeakSet[Watched]" = weakref.WeakSet()
_child_watched_pid = 0


def watch(engine: Watched) -> None:
    """Tell ``engine`` of forks, and close it at exit while anything holds it."""
    _watched.add(engine)


def watch_child_exit() -> None:
    """See to it that a worker process flushes too that ends without running `atexit`."""
    global _child_watched_pid
    if _child_watched_pid == os.getpid():
        return
    _child_watched_pid = os.getpid()
    for name in ("multiprocessing", "billiard"):
        package = sys.modules.get(name)
        process = sys.modules.get(f"{name}.process")
        if package is not None and process is not None and _is_worker(process):
            package.util.Finalize(None, _close_all, exitpriority=0)
    # Celery's prefork workers end by os._exit, after this signal.
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(_close_at_signal, weak=False)


def _is_worker(process: Any) -> bool:
    return bool(getattr(process.current_process(), "_parent_pid", None))


def _close_at_signal(**_: Any) -> None:
    _close_all()


def _close_all() -> None:
    engines = list(_watched)
    if not engines:
        return
    until = time.monotonic() + max(engine.settings.exit_flush_s for engine in engines)
    for engine in engines:
        engine.close(until - time.monotonic())


def _rest() -> None:
    for engine in list(_watched):
        engine.rest_before_fork()


def _resume() -> None:
    for engine in list(_watched):
        engine.resume_after_fork()


def _begin_again() -> None:
    for engine in list(_watched):
        engine.begin_again_after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_rest, after_in_parent=_resume, after_in_child=_begin_again)
