"""What is asked in turn: each answers the same chat, from the same provider."""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import msgspec

from abuse_lab.bench.gateways.processes import free_port, serving
from abuse_lab.lane import request_bytes
from abuse_lab.service_process import run_service
from cloud.story.person import Person

FIRST_TOKEN_SECONDS = 0.02
"""What the provider takes to answer; real ones take ten times as long and more."""
BARE, WITHOUT, WITH, LITELLM = "bare", "without", "with", "litellm"
FAULTS = ("down", "slow", "garbage", "refusing")
MODEL, UPSTREAM_MODEL = "acme/standard-2", "standard-2"
ADMIN = "ops@example.com"
MANY_MICRODOLLARS = 10**10
PATH = "/v1/chat/completions"
LITELLM_CONFIGURATION = """
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{upstream_model}
      api_base: {upstream}/v1
      api_key: sk-upstream
litellm_settings:
  telemetry: false
"""


class Subject(msgspec.Struct, frozen=True):
    """Where to ask, and the whole request."""

    url: str
    request: bytes


@contextmanager
def run_subjects(directory: Path, litellm: Path | None) -> Iterator[dict[str, Subject]]:
    """Run the provider, the abuse services good and bad, a cloud for each, and LiteLLM's proxy where it can be had."""
    with ExitStack() as servers:
        port = free_port()
        command = [sys.executable, "-m", "cloud.local.upstream", "--port", str(port)]
        command += ["--first-token-seconds", str(FIRST_TOKEN_SECONDS)]
        upstream = servers.enter_context(serving(command, port, health="/healthz", directory=directory))
        port = free_port()
        command = [sys.executable, "-m", "abuse_lab.bench.gateways.faulty", str(port)]
        faulty = servers.enter_context(serving(command, port, health="/healthz", directory=directory))
        # Enforcement is off: one person asks as fast as he can, and what that costs is to be measured.
        service = servers.enter_context(run_service(directory / "service", enforce=False))
        abuse = {WITHOUT: None, WITH: service.url, "down": f"http://127.0.0.1:{free_port()}"}
        abuse |= {way: f"{faulty}/{way}" for way in FAULTS if way not in abuse}
        subjects = {BARE: Subject(upstream, chat(UPSTREAM_MODEL, {}))}
        for name, abuse_url in abuse.items():
            subjects[name] = servers.enter_context(run_cloud_process(directory, name, upstream, abuse_url))
        if litellm is not None:
            subjects[LITELLM] = servers.enter_context(run_litellm(directory, litellm, upstream))
        yield subjects


@contextmanager
def run_cloud_process(directory: Path, name: str, upstream: str, abuse_url: str | None) -> Iterator[Subject]:
    """A cloud in a process of its own, and somebody there who has credits."""
    port = free_port()
    settings = {
        "CLOUD_SECRET_KEY": "a-key-of-the-bench-alone",
        "CLOUD_STRIPE_WEBHOOK_SECRET": "whsec_bench",
        "CLOUD_DATABASE_URL": f"sqlite:///{directory / name}.db",
        "CLOUD_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CLOUD_UPSTREAM_URL": f"{upstream}/v1",
        "CLOUD_OUTBOX_IS_OPEN": "true",
        "CLOUD_ADMIN_EMAILS": json.dumps([ADMIN]),
    } | ({"CLOUD_ABUSE_URL": abuse_url} if abuse_url else {})
    command = [sys.executable, "-m", "cloud", "--port", str(port)]
    with (
        serving(command, port, health="/healthz", directory=directory, settings=settings) as url,
        httpx.Client(base_url=url, timeout=60, trust_env=False) as http,
    ):
        admin = Person(http=http, email=ADMIN).come_in()
        person = Person(http=http, email="bench@example.com").come_in()
        grant = {"microdollars": MANY_MICRODOLLARS, "note": "for the bench"}
        admin.do("POST", f"/admin/users/{person.kilo_user_id}/credits", json=grant)
        yield Subject(url, chat(MODEL, person.headers()))


@contextmanager
def run_litellm(directory: Path, python: Path, upstream: str) -> Iterator[Subject]:
    """LiteLLM's proxy with one worker, and nothing configured but the model and the key that it insists on."""
    port = free_port()
    configuration = directory / "litellm.yaml"
    told = LITELLM_CONFIGURATION.format(model=MODEL, upstream_model=UPSTREAM_MODEL, upstream=upstream)
    configuration.write_text(told)
    command = [str(python.with_name("litellm")), "--config", str(configuration), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--telemetry", "False"]
    key = f"sk-{secrets.token_hex(32)}"
    settings = {"LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": key}
    with serving(command, port, health="/health/liveliness", directory=directory, settings=settings) as url:
        yield Subject(url, chat(MODEL, {"authorization": f"Bearer {key}"}))


def chat(model: str, headers: dict[str, str]) -> bytes:
    """The request that everybody is asked."""
    says = [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "Explain how a gateway adds no latency to a request. " * 20},
    ]
    body = json.dumps({"model": model, "messages": says, "max_tokens": 64}).encode()
    return request_bytes(PATH, body, headers.items())
