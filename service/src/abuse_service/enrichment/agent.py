"""What a User-Agent header says by itself."""

# Starts of the agents that programming libraries and command-line tools send when nobody set another.
_LIBRARIES = (
    "python-requests/",
    "python-httpx/",
    "python-urllib",
    "aiohttp/",
    "curl/",
    "wget/",
    "go-http-client/",
    "java/",
    "okhttp/",
    "axios/",
    "node-fetch",
    "undici",
    "libwww-perl/",
    "scrapy/",
    "postmanruntime/",
)


def is_library_agent(user_agent: str) -> bool:
    """Whether the header is a library's or a tool's own default."""
    return user_agent.strip().lower().startswith(_LIBRARIES)
