"""What a user agent says by itself."""

import pytest

from abuse_service.enrichment.agent import Agent, read_agent

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
VS_CODE = (
    "Mozilla/5.0 (X11; Linux x64) AppleWebKit/537.36 (KHTML, like Gecko) Code/1.101.0 Chrome/134.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "read"),
    [
        ("curl/8.4", Agent("curl", is_library=True)),
        (" python-requests/2.31.0 ", Agent("Python Requests", is_library=True)),
        ("undici", Agent("", is_library=True)),
        ("Go-http-client/2.0", Agent("Go-http-client", is_library=True)),
        ("PostmanRuntime/7.36.0", Agent("PostmanRuntime", is_library=True)),
        ("Mozilla/5.0 (curl/8)", Agent("curl")),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", Agent("Googlebot", is_crawler=True)),
        ("Mozilla/5.0 (compatible; GPTBot/1.2; +https://example.com)", Agent("GPTBot", is_crawler=True)),
        (CHROME.replace("Chrome", "HeadlessChrome"), Agent("HeadlessChrome", is_crawler=True)),
        (CHROME, Agent("Chrome")),
        ("", Agent()),
        ("   ", Agent()),
    ],
)
def test_agents_are_known(agent: str, read: Agent) -> None:
    """A library is known by its default, a crawler by its name, a browser by its family."""
    assert read_agent(agent) == read


@pytest.mark.parametrize(
    "agent", [VS_CODE, "Kilo-Code/4.1.0", "Roo-Code/1.0", "claude-cli/1.0.3", "OpenAI/Python 1.3", "ai-sdk/openai/2.0"]
)
def test_coding_agents_are_welcome(agent: str) -> None:
    """An editor or a coding agent is what an AI gateway serves: neither a crawler nor a library."""
    read = read_agent(agent)
    assert (read.is_library, read.is_crawler) == (False, False)


def test_long_agents_are_read_at_their_head() -> None:
    """Of a header of any length the first 512 characters are read."""
    assert read_agent("curl/8 " + "x" * 100_000).is_library
    assert not read_agent("x" * 512 + "Googlebot/2.1").is_crawler
