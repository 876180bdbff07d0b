"""A flow: one of the sites at which the cloud reports, as people reach it from outside."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from cloud.testing.town import Town


@dataclass(frozen=True, kw_only=True)
class Site:
    """A call site: where an event leaves, in words, and the function that it leaves from, below the package."""

    event: str
    words: str
    at: str

    @property
    def name(self) -> str:
        return f"{self.event}: {self.words}"


@dataclass(kw_only=True)
class Ready:
    """A flow before its last request."""

    act: Callable[[], httpx.Response]
    """Makes the request, whatever comes of it."""
    names: dict[str, str] = field(default_factory=dict)
    """Whom and what the words of the expected events mean, such as `user`."""


Prepare = Callable[[Town], Ready]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """The way to one call site or more."""

    sites: tuple[Site, ...]
    prepare: Prepare

    @property
    def name(self) -> str:
        return self.prepare.__name__


class Flows:
    """The flows of a group, in the order in which they are written down."""

    def __init__(self) -> None:
        self.every: list[Flow] = []

    def shows(self, *sites: tuple[str, str, str]) -> Callable[[Prepare], Prepare]:
        """Take the function as the flow that shows the sites: event, words, function."""

        def take(prepare: Prepare) -> Prepare:
            told = tuple(Site(event=event, words=words, at=at) for event, words, at in sites)
            self.every.append(Flow(sites=told, prepare=prepare))
            return prepare

        return take
