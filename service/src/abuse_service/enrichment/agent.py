"""What a User-Agent header says by itself."""

import functools

import crawleruseragents
import msgspec
import re2
from ua_parser import Parser
from ua_parser.loaders import load_lazy_builtins
from ua_parser.re2 import Resolver

_LONGEST_AGENT = 512

# Agents that programming libraries and command-line tools send when nobody set another, beside those of the package.
_LIBRARIES = (
    r"^(?i:python-requests/|python-httpx/|python-urllib|aiohttp/|curl/|wget/|go-http-client/|java/|okhttp/|axios/)",
    r"^(?i:node-fetch|undici|libwww-perl/|scrapy/|postmanruntime/)",
)
# The package's tag for steered browsers also holds editors and coding agents, which are an AI gateway's own guests.
_STEERED_BROWSERS = ("HeadlessChrome", "PhantomJS", "Playwright", "Puppeteer", "Selenium")


class Agent(msgspec.Struct, frozen=True):
    """What sent the request. ``family`` is a browser's or a tool's name, empty when it is not a known one."""

    family: str = ""
    is_library: bool = False
    is_crawler: bool = False


NO_AGENT = Agent()


def read_agent(user_agent: str) -> Agent:
    """The agent that the header names: a library by its own default, a crawler by its name."""
    return _read(user_agent[:_LONGEST_AGENT])


@functools.lru_cache(maxsize=5_000)
def _read(user_agent: str) -> Agent:
    text = user_agent.strip()
    if not text:
        return NO_AGENT
    family = _parser.parse_user_agent(text)
    is_crawler = _crawlers.search(text) is not None
    return Agent(family.family if family else "", not is_crawler and _libraries.search(text) is not None, is_crawler)


def _any_of(patterns: list[str]) -> "re2._Regexp":
    options = re2.Options()
    options.never_capture = True
    options.max_mem = 32 << 20
    return re2.compile("|".join(patterns), options)


def _tagged(*, library: bool) -> list[str]:
    entries = crawleruseragents.CRAWLER_USER_AGENTS_DATA
    tags = ((entry["pattern"], set(entry.get("tags", ()))) for entry in entries)
    return [text for text, said in tags if "browser-automation" not in said and ("http-library" in said) is library]


_parser = Parser(Resolver(load_lazy_builtins()))
_crawlers = _any_of([*_tagged(library=False), *_STEERED_BROWSERS])
_libraries = _any_of([*_tagged(library=True), *_LIBRARIES])
