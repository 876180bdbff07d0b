"""Ways into frameworks and libraries. Each module needs the library that it is named after, and nothing else needs it.

Install what you use as an extra: ``abuse-client[fastapi]``, ``[django]``, ``[flask]``, ``[sqlalchemy]``, ``[stripe]``,
``[litellm]``, ``[opentelemetry]``. The modules for the OpenAI and Anthropic SDKs need nothing installed.
"""
