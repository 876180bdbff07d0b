"""Traces of real traffic, played over HTTP against a running service and then held against what it says."""

from abuse_lab.play.player import Wish, play

__all__ = ["Wish", "play"]
