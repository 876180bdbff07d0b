"""Requests to ``/api/classify`` as today's TypeScript client sends them, and the people who ask."""

import json
import random
from collections.abc import Iterator

AGENTS = (
    "Kilo-Code/4.122.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "opencode/1.0.3 ai-sdk/provider-utils/3.0.9 runtime/bun/1.2.19",
)
MODELS = ("anthropic/claude-sonnet-4.5", "openai/gpt-5-mini", "x-ai/grok-code-fast-1", "qwen/qwen3-coder:free")
FREE_MAIL = ("gmail.com", "outlook.com", "")
_SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
_TEXT = "please explain why this function returns the wrong value when the list is empty and mend it without tests"
_WORDS = _TEXT.split()


class People:
    """So many users, each with an address, a device and habits of his own."""

    def __init__(self, seed: int, number: int) -> None:
        self._random = random.Random(seed)
        self._mark = f"{self._random.getrandbits(48):012x}"
        self.number = number

    def user_id(self, index: int) -> str:
        """The user's id."""
        return f"user-{self._mark}-{index:06d}"

    def connection(self, index: int) -> dict[str, str]:
        """The network facts of a user: a /48 of his own, until IPv6's documentation range has no more of them."""
        return {
            "ip_address": f"2001:db8:{index & 0xFFFF:x}:{index >> 16:x}::7",
            "geo_city": "Lisbon",
            "geo_country": "PT",
            "ja4_digest": f"t13d1516h2_8daaf6152771_{index % 500:012x}",
            "user_agent": AGENTS[index % len(AGENTS)],
        }

    def email(self, index: int) -> str:
        """A user's address: two of three have a mailbox at a free provider, the others a domain of their own."""
        name = _name(index)
        return f"{name}@{FREE_MAIL[index % 3] or name + '.example'}"

    def sign_up(self, index: int, **more: object) -> bytes:
        """A sign-up as the cloud reports it."""
        return _json(
            {
                "kilo_user_id": self.user_id(index),
                "event_type": "signup",
                "email": self.email(index),
                "account_created_at": "2026-01-05T10:00:00.000Z",
                "auth_method": "google",
                "stytch_verdict_action": "ALLOW",
                "stytch_is_authentic_device": True,
                "stytch_hardware_fingerprint": f"hw_{self._mark}_{index}",
                "auth_providers": ["google"],
                "org_memberships": [],
            }
            | self.connection(index)
            | more
        )

    def question(self, index: int, **more: object) -> bytes:
        """A request that waits for its classification."""
        rng = self._random
        return _json(
            {
                "kilo_user_id": self.user_id(index),
                "organization_id": None,
                "project_id": None,
                "geo_latitude": 38.7223,
                "geo_longitude": -9.1393,
                "provider": "openrouter",
                "requested_model": MODELS[rng.randrange(len(MODELS))],
                "user_prompt": " ".join(rng.choices(_WORDS, k=rng.randrange(5, 120))),
                "system_prompt": "You are a skilled software engineer with extensive knowledge of many languages.",
                "max_tokens": rng.choice((None, 4096, 8192, 32_000)),
                "has_middle_out_transform": False,
                "has_tools": rng.random() < 0.8,
                "streamed": True,
                "is_user_byok": False,
                "editor_name": "VS Code",
            }
            | self.connection(index)
            | more
        )

    def questions(self, number: int) -> Iterator[bytes]:
        """So many requests by anybody."""
        for _ in range(number):
            yield self.question(self._random.randrange(self.number))


def _name(index: int) -> str:
    """A name in letters alone, one for each number."""
    syllables: list[str] = []
    while index or len(syllables) < 3:
        index, place = divmod(index, len(_SYLLABLES))
        syllables.append(_SYLLABLES[place])
    return "".join(syllables)


def _json(content: dict[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
