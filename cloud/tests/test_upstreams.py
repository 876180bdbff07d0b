"""What a provider gets to see, at which address."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from cloud.running import run_cloud, run_server
from cloud.story.person import Person

ANSWER = {"id": "a-1", "type": "message", "usage": {"input_tokens": 1, "output_tokens": 1}}


CHUNK = {"id": "a-1", "choices": [{"index": 0, "delta": {"content": "é"}, "finish_reason": "stop"}]}
STREAM = [f"data: {json.dumps(CHUNK)}\r\n\r", "\n: a comment\n\ndata: {nonsense\n\ndata: [DO", "NE]\n\n"]
"""Events that are cut anywhere, end in either way, and hold what is no JSON."""


@dataclass(kw_only=True)
class Provider:
    """Remembers what it was asked."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    """Of the other ends, one a connection."""

    async def answer(self, request: Request) -> Response:
        self.paths.append(request.url.path)
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        self.ports.append(request.client.port if request.client else 0)
        if b'"stream":true' in self.bodies[-1]:
            return StreamingResponse(iter(STREAM), media_type="text/event-stream")
        return JSONResponse(ANSWER)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    recording = Provider()
    app = FastAPI(title="recording")
    app.add_api_route("/{path:path}", recording.answer, methods=["POST"], response_model=None)
    with run_server(app) as recording.url:
        yield recording


@pytest.fixture(scope="module")
def person(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Somebody without an account, at a cloud whose providers have addresses of their own."""
    directory: Path = tmp_path_factory.mktemp("upstreams")
    upstreams = {
        "open": {"url": f"{provider.url}/open/v1", "key": "sk-open"},
        "open/messages": {"url": f"{provider.url}/claude/v1/", "key": "sk-claude"},
    }
    with (
        run_cloud(directory, abuse_url="http://127.0.0.1:9", upstreams=upstreams) as running,
        httpx.Client(base_url=running.url) as http,
    ):
        yield Person(http=http, email="")


def ask(person: Person, path: str, raw: str, headers: dict[str, str] | None = None) -> None:
    person.send("POST", path, content=raw.encode(), headers=headers or {}).raise_for_status()


def test_body_passes_to_the_byte(provider: Provider, person: Person) -> None:
    """But for the model's name, a provider gets every field as it was written, those that nobody knows too."""
    rest = '"messages":[ ],"seed":12345678901234567890123,"x":{"a" : 1.50, "a":"\\u00e9"},"temperature":1E-2'
    ask(person, "/v1/chat/completions", f'{{"model":"Open/Swift-1",{rest}}}')
    assert provider.bodies[-1] == f'{{"model":"swift-1",{rest}}}'.encode()


def test_half_an_emoji_passes(provider: Provider, person: Person) -> None:
    """Half a surrogate pair, as JavaScript sends it, reaches the provider as half a surrogate pair."""
    ask(person, "/v1/responses", '{"model":"open/swift-1","input":"cut \\ud83d"}')
    assert b"cut \\ud83d" in provider.bodies[-1]


def test_stream_is_asked_for_its_usage(provider: Provider, person: Person) -> None:
    """A streamed chat is asked for its usage, beside whatever options its caller sets."""
    raw = '{"model":"open/swift-1","messages":[],"stream":true,"stream_options":{"include_obfuscation":false}}'
    person.send("POST", "/v1/chat/completions", content=raw.encode())
    assert provider.bodies[-1].endswith(b'"stream_options":{"include_obfuscation":false,"include_usage":true}}')


def test_stream_passes_to_the_byte(provider: Provider, person: Person) -> None:
    """Events of a stream reach the reader as they were written, comments and nonsense too."""
    raw = b'{"model":"open/swift-1","messages":[],"stream":true}'
    assert person.send("POST", "/v1/chat/completions", content=raw).text == "".join(STREAM)


def test_connections_are_used_again(provider: Provider, person: Person) -> None:
    """One request after the other, whole or streamed and left at its last event, takes the same connection."""
    provider.ports.clear()
    for tail in ("", ',"stream":true') * 6:
        raw = f'{{"model":"open/swift-1","messages":[]{tail}}}'
        with person.http.stream("POST", "/v1/chat/completions", content=raw.encode()) as response:
            for line in response.iter_lines():
                if "DONE" in line:
                    break
    # A busy machine may ask again before a stream's end has come; each left stream would cost a connection otherwise.
    assert len(set(provider.ports)) < 4


def test_each_api_has_its_address_and_key(provider: Provider, person: Person) -> None:
    """A provider, or one API of it, is asked where the settings say, with the key as its API shows keys."""
    ask(person, "/v1/fim/completions", '{"model":"open/swift-1","prompt":"x"}')
    assert (provider.paths[-1], provider.headers[-1]["authorization"]) == ("/open/v1/fim/completions", "Bearer sk-open")
    ask(person, "/v1/messages", '{"model":"open/swift-1","messages":[],"max_tokens":1}')
    assert (provider.paths[-1], provider.headers[-1]["x-api-key"]) == ("/claude/v1/messages", "sk-claude")
    assert provider.headers[-1]["anthropic-version"] == "2023-06-01"


def test_callers_secrets_stay_here(provider: Provider, person: Person) -> None:
    """A provider sees nothing of the caller but what its API needs: no session, no cookie, no address."""
    told = {"anthropic-beta": "tools-2024", "anthropic-version": "2024-01-01", "cookie": "a=secret"}
    raw = '{"model":"open/swift-1","messages":[],"max_tokens":1}'
    ask(person, "/v1/messages", raw, told | {"x-provider-key": "sk-own", "x-api-key": "anonymous"})
    seen = provider.headers[-1]
    assert (seen["x-api-key"], seen["anthropic-beta"], seen["anthropic-version"]) == (
        "sk-own",
        "tools-2024",
        "2024-01-01",
    )
    assert not {"cookie", "authorization", "x-forwarded-for", "x-provider-key"} & seen.keys()
