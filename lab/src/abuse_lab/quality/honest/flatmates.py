"""Flatmates on one line: two to four strangers to each other's accounts, each with his own laptop and his own project.

They tell each other of the product in the same week, and each uses what he was given nearly up. Nobody pays yet; some
do when it is gone.
"""

from abuse_lab.quality.scene import DAY_MS, MINUTE_MS, Scene


def stage(scene: Scene) -> None:
    """Five to ten flats."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(5, 10)):
        line = networks.home()
        for _ in range(rng.choice((2, 2, 3, 4))):
            actor = scene.actor(home=networks.as_browser(line))
            actor.sign_up(scene.moment(0, scene.days - 2))
            granted = scene.cloud.grant_microdollars
            budget = int(granted * rng.uniform(0.2, 0.97)) if granted else rng.randrange(20_000, 600_000)
            scene.work_within(actor, budget, scene.shop.middle + scene.shop.cheap, scene.requests(10, 120))
            if rng.random() < 0.3:
                paid_ms = scene.moment(scene.days - 1, scene.days)
                actor.attach(paid_ms)
                actor.pay(paid_ms + MINUTE_MS, 1_000)
                actor.sign_in(paid_ms + 2 * MINUTE_MS)
            assert actor.created_at_ms < scene.start_ms + scene.days * DAY_MS
