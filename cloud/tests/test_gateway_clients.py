"""The real OpenAI and Anthropic clients as users of the gateway: streams, tools, typed errors."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from cloud.story.deeds import buy
from cloud.story.person import Person
from cloud.testing import Town, classification_of

FREE = "open/swift-1"
SAYS: Any = [{"role": "user", "content": "Say something."}]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Lisbon", "Porto"]}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
CALLED = {"city": "Lisbon", "days": 1}
GAVE = "21 degrees, and a \N{SUN} over the Tagus"


def openai_client(town: Town, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{town.running.url}/v1", api_key=key, max_retries=0)


def anthropic_client(town: Town, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=town.running.url, api_key=key, max_retries=0)


@pytest.fixture
def gpt(town: Town, user: Person) -> Iterator[openai.OpenAI]:
    with openai_client(town, user.session_token) as client:
        yield client


@pytest.fixture
def claude(town: Town, user: Person) -> Iterator[anthropic.Anthropic]:
    with anthropic_client(town, user.session_token) as client:
        yield client


def costs(town: Town) -> list[tuple[int, int, str]]:
    """What was reported: tokens in and out, and whose answer it was."""
    arrived = town.arrived("/api/usage/cost")
    return [(cost["input_tokens"], cost["output_tokens"], cost["message_id"]) for cost in arrived]


def feature(town: Town) -> Any:
    [asked] = town.arrived("/api/classify")
    return asked["feature"], asked["user_prompt"], asked["streamed"]


def test_chat_completion(town: Town, gpt: openai.OpenAI) -> None:
    """A chat completion is answered, classified and costed."""
    answer = gpt.chat.completions.create(model=FREE, messages=SAYS, max_tokens=20)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 20
    assert feature(town) == ("chat_completions", "Say something.", False)
    assert costs(town) == [(answer.usage.prompt_tokens, 20, answer.id)]


def test_chat_completion_streams(town: Town, gpt: openai.OpenAI) -> None:
    """A streamed chat completion says the same, and is costed the same."""
    whole = gpt.chat.completions.create(model=FREE, messages=SAYS, max_tokens=100)
    town.forget()
    chunks = list(gpt.chat.completions.create(model=FREE, messages=SAYS, max_tokens=100, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert [cost[1:] for cost in costs(town)] == [(100, chunks[0].id)]
    assert feature(town)[2] is True


def test_chat_tools_pass(gpt: openai.OpenAI) -> None:
    """A tool call comes to the client, and what the tool gave comes to the model, as they are."""
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    called = gpt.chat.completions.create(model=FREE, messages=SAYS, tools=tools).choices[0].message
    assert called.tool_calls is not None
    [call] = called.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", CALLED)
    turns = [*SAYS, called.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": GAVE}]
    told = gpt.chat.completions.create(model=FREE, messages=turns, tools=tools).choices[0].message.content
    assert told == f"The tool gave {GAVE}"


def test_chat_tools_stream(town: Town, gpt: openai.OpenAI) -> None:
    """A streamed tool call adds up to its arguments, and is costed."""
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    chunks = list(gpt.chat.completions.create(model=FREE, messages=SAYS, tools=tools, stream=True))
    deltas = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
    written = "".join(call.function.arguments or "" for call in deltas if call.function)
    assert json.loads(written) == CALLED
    assert costs(town)[0][1] > 5
    assert town.arrived("/api/classify")[0]["has_tools"] is True


def test_response(town: Town, gpt: openai.OpenAI) -> None:
    """A response is answered, classified and costed."""
    answer = gpt.responses.create(model=FREE, input="Say something.", max_output_tokens=20)
    assert answer.usage is not None
    assert answer.output_text
    assert feature(town) == ("responses", "Say something.", False)
    assert costs(town) == [(answer.usage.input_tokens, 20, answer.id)]


def test_response_streams(town: Town, gpt: openai.OpenAI) -> None:
    """A streamed response comes event by event, and is costed by its last."""
    events = list(gpt.responses.create(model=FREE, input="Say something.", max_output_tokens=100, stream=True))
    last = events[-1]
    assert last.type == "response.incomplete"
    written = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert written == last.response.output_text
    assert [cost[1:] for cost in costs(town)] == [(100, last.response.id)]


def test_response_tools_pass(gpt: openai.OpenAI) -> None:
    """A function call comes to the client, and its output to the model."""
    tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
    [call] = gpt.responses.create(model=FREE, input=SAYS, tools=tools).output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == CALLED
    given: Any = [*SAYS, call.to_dict(), {"type": "function_call_output", "call_id": call.call_id, "output": GAVE}]
    assert gpt.responses.create(model=FREE, input=given, tools=tools).output_text == f"The tool gave {GAVE}"


def test_message(town: Town, claude: anthropic.Anthropic) -> None:
    """A message is answered, classified and costed."""
    answer = claude.messages.create(model=FREE, max_tokens=20, messages=SAYS, system="Be brief.")
    assert feature(town) == ("messages", "Say something.", False)
    assert town.arrived("/api/classify")[0]["system_prompt"] == "Be brief."
    assert costs(town) == [(answer.usage.input_tokens, 20, answer.id)]


def test_message_streams(town: Town, claude: anthropic.Anthropic) -> None:
    """A streamed message comes event by event, and is costed at its end."""
    with claude.messages.stream(model=FREE, max_tokens=100, messages=SAYS) as stream:
        written = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert answer.content[0].type == "text"
    assert written == answer.content[0].text
    assert costs(town) == [(answer.usage.input_tokens, 100, answer.id)]


def test_message_tools_pass(claude: anthropic.Anthropic) -> None:
    """A tool use comes to the client, streamed, and its result to the model."""
    tools: Any = [{"name": "weather", "input_schema": SCHEMA}]
    with claude.messages.stream(model=FREE, max_tokens=20, messages=SAYS, tools=tools) as stream:
        answer = stream.get_final_message()
    [call] = answer.content
    assert call.type == "tool_use"
    assert call.input == CALLED
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": GAVE}]}
    turns: Any = [*SAYS, {"role": "assistant", "content": answer.to_dict()["content"]}]
    turns.append({"role": "user", "content": [result]})
    told = claude.messages.create(model=FREE, max_tokens=20, messages=turns, tools=tools)
    assert told.content[0].type == "text"
    assert told.content[0].text == f"The tool gave {GAVE}"


def test_cached_tokens_are_cheaper(town: Town, user: Person) -> None:
    """What a provider read from its cache, or wrote there, costs what the price list says of it."""
    buy(user, 500)
    text = f"{user.kilo_user_id} " + "remembers every single word of it. " * 300
    system: Any = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]
    with anthropic_client(town, user.session_token) as claude:
        answers = [
            claude.messages.create(model="acme/standard-2", max_tokens=10, messages=SAYS, system=system).usage
            for _ in range(2)
        ]
    told = town.arrived("/api/usage/cost")
    written, read = (answers[0].cache_creation_input_tokens or 0, answers[1].cache_read_input_tokens or 0)
    assert written == read > 1_000
    assert (told[0]["cache_write_tokens"], told[1]["cache_hit_tokens"]) == (written, read)
    rest = answers[1].input_tokens
    assert told[0]["cost"] == round(rest * 3 + written * 3.75 + 10 * 15)
    assert told[1]["cost"] == round(rest * 3 + read * 0.3 + 10 * 15)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_fill_in_the_middle(town: Town, user: Person, is_streamed: bool) -> None:
    """Code is filled in, in Mistral's shape, and costed whole or streamed."""
    body = {"model": FREE, "prompt": "def f(", "suffix": "return x", "max_tokens": 30, "stream": is_streamed}
    response = user.do("POST", "/v1/fim/completions", json=body)
    assert feature(town) == ("fim_completions", "def f(", is_streamed)
    assert [cost[1] for cost in costs(town)] == [30]
    assert response.headers["content-type"].startswith("text/event-stream" if is_streamed else "application/json")


def test_async_clients(town: Town, user: Person) -> None:
    """The clients for asyncio work alike, many at once."""

    async def ask() -> list[int]:
        async with (
            openai.AsyncOpenAI(base_url=f"{town.running.url}/v1", api_key=user.session_token) as gpt,
            anthropic.AsyncAnthropic(base_url=town.running.url, api_key=user.session_token) as claude,
        ):

            async def chat() -> int:
                stream = await gpt.chat.completions.create(model=FREE, messages=SAYS, max_tokens=64, stream=True)
                return len([chunk async for chunk in stream])

            async def message() -> int:
                return (await claude.messages.create(model=FREE, messages=SAYS, max_tokens=64)).usage.output_tokens

            return await asyncio.gather(*(one() for one in (chat, message) * 5))

    assert asyncio.run(ask())[1::2] == [64] * 5
    assert len(costs(town)) == 10


def test_models_are_listed(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """Both clients list the models, and the prices stand beside them."""
    listed: dict[str, Any] = {model.id: model.to_dict()["pricing"] for model in gpt.models.list()}
    assert listed["acme/grand-2"]["completion"] == "0.000075"
    assert listed["acme/grand-2:free"]["completion"] == "0"
    assert {model.id for model in claude.models.list()} == set(listed)


@pytest.mark.parametrize(
    ("classification", "status"),
    [
        (classification_of(verdict="HARD_BLOCK", action="block"), 403),
        (classification_of(verdict="SOFT_BLOCK", action="rate-limit", retry_after_seconds=42), 429),
    ],
)
def test_refusals_are_typed(
    town: Town, gpt: openai.OpenAI, claude: anthropic.Anthropic, classification: dict[str, Any], status: int
) -> None:
    """What the abuse service refuses, each client raises as its own error of that status."""
    town.sink.classification = classification
    kinds = {403: "PermissionDeniedError", 429: "RateLimitError"}
    with pytest.raises(getattr(openai, kinds[status])) as chat:
        gpt.chat.completions.create(model=FREE, messages=SAYS)
    with pytest.raises(getattr(anthropic, kinds[status])) as message:
        list(claude.messages.create(model=FREE, messages=SAYS, max_tokens=9, stream=True))
    for raised in (chat.value, message.value):
        assert raised.response.headers.get("retry-after") == {429: "42"}.get(status)
    assert chat.value.code == {403: "abuse_blocked", 429: "rate_limit_exceeded"}[status]
    assert message.value.body["error"]["type"] == {403: "permission_error", 429: "rate_limit_error"}[status]
    assert town.arrived("/api/usage/cost") == []


def test_own_rules_are_typed(town: Town, gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """A forged key is 401, an empty balance 402, an unknown model 404, in each API's shape."""
    with openai_client(town, "sk-forged") as forger, pytest.raises(openai.AuthenticationError):
        forger.chat.completions.create(model=FREE, messages=SAYS)
    with anthropic_client(town, "sk-forged") as forging, pytest.raises(anthropic.AuthenticationError):
        forging.messages.create(model=FREE, messages=SAYS, max_tokens=9)
    with pytest.raises(openai.APIStatusError) as empty:
        gpt.responses.create(model="acme/grand-2", input="x")
    assert (empty.value.status_code, empty.value.type) == (402, "insufficient_quota")
    with pytest.raises(anthropic.APIStatusError) as unpaid:
        claude.messages.create(model="acme/grand-2", messages=SAYS, max_tokens=9)
    assert unpaid.value.status_code == 402
    assert "billing_error" in str(unpaid.value.body)
    with pytest.raises(openai.NotFoundError):
        gpt.chat.completions.create(model="no/such", messages=SAYS)
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="no/such", messages=SAYS, max_tokens=9)


def test_no_account_free_models_only(town: Town) -> None:
    """Without an account the key is `anonymous`; free models answer, others do not, with a key of one's own neither."""
    with openai_client(town, "anonymous") as nobody:
        assert nobody.chat.completions.create(model=FREE, messages=SAYS).choices
        own = {"x-provider-key": "sk-own"}
        with pytest.raises(openai.AuthenticationError):
            nobody.chat.completions.create(model="acme/grand-2", messages=SAYS, extra_headers=own)
    with anthropic_client(town, "anonymous") as nameless:
        assert nameless.messages.create(model=FREE, messages=SAYS, max_tokens=9).content
    asked = {body["kilo_user_id"] for body in town.arrived("/api/classify")}
    assert asked == {"anon:127.0.0.1"}
