"""A demonstration: the real service, a small SaaS that reports to it, and what the service says of each account."""

from abuse_lab.demo.stage import show

__all__ = ["show"]
