"""People whose browser stops what watches it: the device check fails or calls them odd, and nothing else is wrong.

Blockers, hardened browsers and virtual desktops. In half of them the check never ends; most of the others are told to
be challenged, a few not to be authentic. Half are customers.
"""

from abuse_lab.quality.scene import DAY_MS, Scene


def stage(scene: Scene) -> None:
    """Twelve to twenty-five of them."""
    rng = scene.rng
    for _ in range(scene.number(12, 25)):
        actor = scene.actor()
        if rng.random() < 0.5:
            actor.stop_device_check()
        actor.device_action = rng.choice(("CHALLENGE", "CHALLENGE", "CHALLENGE", "CHALLENGE", "BLOCK"))
        actor.is_authentic = rng.random() < 0.9
        if rng.random() < 0.5:
            scene.veteran(actor, rng.choice((500, 1_000, 2_000)), rng.randrange(5, 400))
            scene.work(actor, scene.requests(5, 60), scene.shop.middle + scene.shop.cheap)
        else:
            actor.sign_up(scene.moment(0, scene.days - 1))
            scene.work_within(actor, rng.randrange(5_000, 300_000), scene.shop.free + scene.shop.cheap, 40)
        actor.sign_in(max(actor.created_at_ms + DAY_MS // 8, scene.moment(0, scene.days)))
