"""An ordinary paying customer: ten dollars now and then, a pass, or a member of a paying team, with a coding tool."""

from abuse_lab.quality.scene import DAY_MS, Scene


def stage(scene: Scene) -> None:
    """Forty to seventy customers."""
    rng = scene.rng
    for _ in range(scene.number(40, 70)):
        actor = scene.actor()
        scene.veteran(actor, rng.choice((500, 1_000, 2_000, 5_000)), rng.randrange(3, 500))
        if rng.random() < 0.3:
            actor.subscribe(
                scene.start_ms - rng.randrange(1, 3) * DAY_MS,
                rng.choice(("tier_19", "tier_49")),
                streak=rng.randrange(1, 9),
            )
        scene.work(actor, scene.requests(5, 70), scene.shop.middle + scene.shop.cheap)
        if rng.random() < 0.5:
            actor.sign_in(scene.moment(0, 5))
