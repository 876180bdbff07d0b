"""A newcomer who tries what the cloud gives him: the free models, and his free credits to the last cent but no further.

By far most accounts. A few sessions in the first days; where the cloud gives credits they go into middle models.
A third have digits in the mailbox's name, some a second provider, some stop the device check.
"""

from abuse_lab.quality.scene import DAY_MS, Scene


def stage(scene: Scene) -> None:
    """Sixty to a hundred newcomers."""
    rng = scene.rng
    for _ in range(scene.number(60, 100)):
        actor = scene.actor()
        actor.sign_up(scene.moment(0, scene.days - 1))
        granted = int(scene.cloud.grant_microdollars * rng.uniform(0.1, 0.98))
        if granted and rng.random() < 0.5:
            scene.work_within(actor, granted, scene.shop.middle, scene.requests(5, 160))
        else:
            scene.work_within(actor, rng.randrange(2_000, 400_000), scene.shop.free, scene.requests(3, 60))
        if rng.random() < 0.4:
            actor.sign_in(actor.created_at_ms + int(rng.uniform(0.3, 1) * DAY_MS))
