"""A provider of models that runs on this machine and speaks four APIs, with true token counts.

What it says means nothing, but it is as long as it was asked to be, is cut where a tokenizer cuts, comes in pieces at
the pace that it is given, calls tools, remembers prompts for its cache, and fails when a request asks for it.
"""

from cloud.local.upstream.app import create_upstream
from cloud.local.upstream.faults import Fault
from cloud.local.upstream.pace import Pace

__all__ = ["Fault", "Pace", "create_upstream"]
