"""The cloud's gateway, LiteLLM's proxy and the bare provider, each in a process of its own, asked in turn."""
