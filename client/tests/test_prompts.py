"""Long prompts are cut before they leave; length and hash of the whole go along."""

import asyncio
import hashlib
import json
import time

import pytest

from abuse_client import AbuseClient, AsyncAbuseClient
from abuse_client.contract import ClassifyPayload

WHOLES = {
    "letters": "a" * 9000,
    "escapes": '"\\\n\x01' * 3000,
    "wide": "ü😀" * 5000,
    "halves": "cut \ud83d" * 2000,
    "pieces": "ü\n" * 400_000,
}


def json_text(text):
    mended = "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
    return json.dumps(mended, ensure_ascii=False)[1:-1].encode()


@pytest.mark.parametrize("whole", WHOLES.values(), ids=WHOLES)
def test_long_prompt_leaves_cut(sink, whole):
    """Of a long prompt the beginning leaves, with the length and the hash of its whole JSON text."""
    with AbuseClient(sink.url, max_prompt_characters=1000) as client:
        assert client.classify_request({"user_prompt": whole, "system_prompt": "short"}) is not None
    fields = sink.only("/api/classify")
    assert json_text(fields["user_prompt"]) == json_text(whole[:1000])
    assert fields["user_prompt_bytes"] == len(json_text(whole))
    assert fields["user_prompt_sha256"] == hashlib.sha256(json_text(whole)).hexdigest()
    assert fields["system_prompt"] == "short"
    assert "system_prompt_sha256" not in fields


def test_endless_prompt_is_asked_about(sink):
    """A prompt that cannot be read to its end in time leaves without length and hash, but the question is asked."""
    with AbuseClient(sink.url) as client:
        begun = time.monotonic()
        assert client.start_classification({"user_prompt": "x\ud83d" * 15_000_000}, deadline=2.0).result(5) is not None
        assert time.monotonic() - begun < 4
    assert len(sink.only("/api/classify")["user_prompt"]) == 8192


def test_short_prompt_leaves_whole(sink):
    """A prompt within the limit leaves as it is, with nothing added, typed or not."""
    prompt = "a" * 8192
    with AbuseClient(sink.url) as client:
        client.classify_request(ClassifyPayload(user_prompt=prompt))
    assert sink.only("/api/classify") == {"user_prompt": prompt}


def test_both_prompts_are_cut(sink):
    """Each prompt is cut by itself, and what else the payload says stays."""
    with AbuseClient(sink.url, max_prompt_characters=10) as client:
        client.classify_request({"user_prompt": "u" * 20, "system_prompt": "s" * 30, "model": "m" * 50, "new": 1})
    fields = sink.only("/api/classify")
    assert (fields["user_prompt"], fields["system_prompt"]) == ("u" * 10, "s" * 10)
    assert (fields["user_prompt_bytes"], fields["system_prompt_bytes"]) == (20, 30)
    assert (fields["model"], fields["new"]) == ("m" * 50, 1)


def test_payload_is_left_alone(sink):
    """Cutting does not touch the caller's own payload."""
    payload = {"user_prompt": "a" * 9000}
    with AbuseClient(sink.url) as client:
        client.classify_request(payload)
    assert payload == {"user_prompt": "a" * 9000}


async def test_huge_prompt_leaves_loop_free(sink):
    """A prompt of 20 million characters holds the caller's event loop up no longer than a short one."""
    async with AsyncAbuseClient(sink.url) as client:
        assert await client.classify_request({}) is not None
        payload = {"user_prompt": "ü" * 20_000_000}
        begun = time.monotonic()
        question = asyncio.create_task(client.classify_request(payload, deadline=10))
        longest = 0.0
        while not question.done():
            slept = time.monotonic()
            await asyncio.sleep(0.001)
            longest = max(longest, time.monotonic() - slept)
        assert await question is not None, time.monotonic() - begun
    assert sink.received[-1].fields["user_prompt_bytes"] == 40_000_000
    assert longest < 0.2
