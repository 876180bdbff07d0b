"""A believable life of a dozen accounts, played against a running cloud through its HTTP alone."""

from cloud.story.chapters import play
from cloud.story.report import Account, StoryReport

__all__ = ["Account", "StoryReport", "play"]
