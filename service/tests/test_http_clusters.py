"""Clusters and cut links over HTTP and by the verbs."""

import pytest
from typer.testing import CliRunner

from abuse_service.cli.main import app


def sign_in(service, user, device):
    """Let a user sign in on a device."""
    service.post(
        "/api/auth-event",
        {
            "kilo_user_id": user,
            "event_type": "signin",
            "email": f"{user}@example.com",
            "stytch_hardware_fingerprint": device,
        },
    )


def run(service, *words):
    """What a verb prints."""
    told = CliRunner().invoke(app, [*words, "--url", str(service.client.base_url)])
    assert told.exit_code == 0, told.output
    return told.stdout


def cluster(service, user):
    """The cluster around a user."""
    return service.client.get(f"/api/console/clusters/{user}").json()


def test_cluster_is_drawn_and_cut(service):
    """`cluster` draws who stands next to an account and why; a link that is cut is named, and counts no more."""
    for user in ("draw-1", "draw-2"):
        sign_in(service, user, "draw-device")
    view = cluster(service, "draw-1")
    assert [member["identity_key"] for member in view["members"]] == ["user:draw-1", "user:draw-2"]
    link = view["members"][1]["link"]
    assert (view["members"][1]["from"], link["kind"], link["count"]) == ("user:draw-1", "device", 1)
    drawn = run(service, "cluster", "draw-1")
    assert "user:draw-2" in drawn
    assert "same device" in drawn
    said = run(service, "link", "cut", "draw-1", link["entity"], "--reason", "a fair's demo machine")
    assert said.strip() == "device of user:draw-1 is cut"
    assert len(cluster(service, "draw-1")["members"]) == 1
    assert "links nobody: cut by an analyst" in " ".join(run(service, "cluster", "draw-1").split())
    run(service, "link", "restore", "draw-1", link["entity"], "--reason", "it was his own")
    assert len(cluster(service, "draw-1")["members"]) == 2
    events = [one["type"] for one in service.log_events(0)]
    assert [events.count(f"service.link_{name}") for name in ("cut", "restored")] == [1, 1]


@pytest.mark.parametrize(
    ("said", "status", "path"),
    [
        ({"entity": "00", "reason": "x"}, 404, "entity"),
        ({"entity": "zz", "reason": "x"}, 422, "entity"),
        ({"entity": "00", "reason": " "}, 422, "reason"),
        ({"entity": "00"}, 400, None),
    ],
)
def test_wrong_cut_is_refused(service, said, status, path):
    """A cut of what is no strong link of the account, or without a reason, is refused with its place."""
    sign_in(service, "cut-1", "cut-device")
    answer = service.post("/api/console/clusters/cut-1/cut", said)
    assert (answer.status_code, answer.json()["error"]["path"]) == (status, path)


def test_cluster_of_nobody_is_not_found(service):
    """An account that is not known has no cluster."""
    assert service.client.get("/api/console/clusters/nobody-at-all").status_code == 404
