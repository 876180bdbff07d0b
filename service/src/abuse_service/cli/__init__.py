"""The operators' verbs: text for people, ``--json`` for programs."""

from abuse_service.cli.main import main

__all__ = ["main"]
