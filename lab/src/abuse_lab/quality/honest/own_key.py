"""A user who brings his own key: never pays here, asks the dearest models all day, and costs the cloud nothing.

Requests and reports carry the true upstream cost, which his provider bills to him.
"""

from abuse_lab.quality.scene import Scene


def stage(scene: Scene) -> None:
    """Six to twelve of them."""
    rng = scene.rng
    for _ in range(scene.number(6, 12)):
        actor = scene.actor()
        actor.sign_up(scene.moment(0, 2))
        actor.habits.is_byok = True
        actor.use_editor(actor.habits.editor or "CLI", max_tokens=rng.choice((None, 32_000, 64_000)))
        scene.work(actor, scene.requests(30, 150), scene.shop.dear + scene.shop.middle, first_day=2)
