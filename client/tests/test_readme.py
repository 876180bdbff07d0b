"""The README's code runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_readme_code_runs(sink, monkeypatch, caplog):
    """A newcomer who pastes the README's blocks one after the other sends what they say, without a failure."""
    monkeypatch.setenv("ABUSE_SERVICE_URL", sink.url)
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    assert names["client"].flush(5)
    names["client"].close()
    assert {one.path for one in sink.received} == {
        "/api/classify",
        "/api/usage/cost",
        "/api/auth-event",
        "/api/events",
    }
    assert sorted(event["type"] for event in sink.events) == ["stripe.charge.failed", "user.blocked", "user.deleted"]
    assert caplog.records == []
