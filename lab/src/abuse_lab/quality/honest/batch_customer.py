"""A paying customer's batch: a few thousand short requests in some minutes, as fast as his program gets answers.

He has bought credits or is on a team's plan and runs a job over a table now and then, from his own server or from home,
with a program that waits for each of its few workers.
"""

from abuse_lab.quality.scene import DAY_MS, Habits, Scene


def stage(scene: Scene) -> None:
    """Two such customers, at most three."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(2, 3)):
        actor = scene.actor()
        scene.veteran(actor, rng.choice((2_000, 5_000, 10_000)), rng.randrange(3, 400))
        organization_id = None
        if rng.random() < 0.4:
            organization = scene.organization("teams")
            organization_id = organization["organization_id"]
            actor.join(actor.created_at_ms + DAY_MS, organization)
        actor.habits = Habits(
            system_prompt="Extract name, date and sum from the invoice as JSON, without any further word.",
            has_tools=False,
            is_streamed=False,
            max_tokens=rng.choice((None, 256, 1024)),
            organization_id=organization_id,
        )
        server = networks.hosting() if rng.random() < 0.6 else networks.as_script(actor.home)
        for at in scene.session(scene.start_ms - 2 * DAY_MS, rng.randrange(10, 60), (2, 20)):
            actor.ask(at, rng.choice(scene.shop.cheap), tokens=(900, 100), connection=server)
        for _ in range(rng.randrange(1, 3)):
            rate = rng.uniform(2, 11)
            scene.drain(
                actor,
                scene.moment(0, scene.days - 0.5),
                rng.randrange(300, 1_000),
                scene.shop.cheap,
                seconds=(0.5 / rate, 1.5 / rate),
                tokens=(rng.randrange(400, 2_000), rng.randrange(50, 300)),
                connection=server,
            )
