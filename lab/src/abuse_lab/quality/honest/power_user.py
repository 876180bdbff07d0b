"""A paying power user: several agents at once, ten hours a day, on the dearest models.

The customers that live from the product: hundreds of requests a day, tens of dollars, bursts of several a minute when
agents run side by side. They pay by card every few days or hold a pass; some bring a brand-new account and pay at once.
"""

from abuse_lab.quality.scene import DAY_MS, HOUR_MS, Scene


def stage(scene: Scene) -> None:
    """Six to twelve power users."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(6, 12)):
        actor = scene.actor()
        if rng.random() < 0.7:
            scene.veteran(actor, rng.choice((5_000, 10_000, 20_000)), rng.randrange(5, 400))
        else:
            actor.sign_up(scene.moment(0, 1))
            actor.attach(actor.created_at_ms + 5 * 60_000)
            actor.pay(actor.created_at_ms + 6 * 60_000, rng.choice((2_000, 5_000, 10_000)))
        if rng.random() < 0.4:
            actor.subscribe(
                max(actor.created_at_ms + HOUR_MS, scene.start_ms - DAY_MS), rng.choice(("tier_49", "tier_199"))
            )
        tool = networks.as_tool(actor.home)
        actor.use_editor(actor.habits.editor or "CLI", max_tokens=rng.choice((None, 32_000, 64_000)))
        models = scene.shop.dear + scene.shop.middle
        for _ in range(rng.randrange(3, 7)):
            start_ms = max(
                scene.working_hour(rng.randrange(1, scene.days), actor.home.place), actor.created_at_ms + HOUR_MS
            )
            for _agent in range(rng.randrange(1, 5)):
                pace = (4, rng.uniform(15, 60))
                for at in scene.session(start_ms + rng.randrange(600_000), rng.randrange(15, 50), pace):
                    actor.ask(at, rng.choice(models), connection=tool)
        actor.pay(scene.moment(3, scene.days - 1), rng.choice((2_000, 5_000, 10_000)))
