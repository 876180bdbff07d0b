"""A paying user's key in a thief's hands: another country, other models, many times the usual rate.

Keys leak in public repositories and are found within minutes. The owner has months of quiet use; the thief asks from
rented machines as fast as it goes, mostly for the dearest models until the balance is gone, sometimes for small ones
that the owner overlooks. Only what the thief does counts as abuse; before that the account is its owner's.
"""

from abuse_lab.quality.scene import DAY_MS, Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.1, payment=0.05)


def stage(scene: Scene) -> None:
    """Two to five stolen keys."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(2, 5)):
        actor = scene.actor()
        stolen_ms = scene.moment(3, scene.days - 1)
        actor.turned_at_ms = stolen_ms
        scene.veteran(actor, rng.choice((2_000, 5_000, 10_000)), rng.randrange(60, 400))
        tool = networks.as_tool(actor.home)
        for day in range(-12, 3):
            for at in scene.session(scene.working_hour(day, actor.home.place), rng.randrange(3, 14), (30, 200)):
                if at < stolen_ms:
                    actor.ask(at, rng.choice(scene.shop.middle + scene.shop.cheap), connection=tool)
        actor.habits = Habits(has_tools=False, is_streamed=False, max_tokens=rng.choice((None, 8192, 32_000)))
        thief = networks.hosting(is_listed=rng.random() < 0.6)
        scene.drain(
            actor,
            stolen_ms,
            scene.requests(250, 700),
            scene.shop.dear if rng.random() < 0.7 else scene.shop.cheap,
            seconds=(0.5, rng.uniform(1.5, 12)),
            tokens=(rng.randrange(1_000, 8_000), rng.randrange(500, 3_000)),
            connection=thief,
        )
        assert stolen_ms > actor.created_at_ms + DAY_MS
