"""A build that asks a model: bursts from rented machines, a library's agent, no editor, night and day.

Continuous integration starts from ever other addresses of a hosting provider. The account belongs to somebody who has
bought credits or to an organization with a paid plan; it was made long ago and signs in rarely.
"""

from abuse_lab.quality.scene import Habits, Scene


def stage(scene: Scene) -> None:
    """Four to eight of them."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(4, 8)):
        actor = scene.actor()
        organization_id = None
        scene.veteran(actor, rng.choice((500, 1_000, 5_000)), rng.randrange(10, 500))
        if rng.random() < 0.5:
            organization = scene.organization("teams")
            organization_id = organization["organization_id"]
            actor.join(actor.created_at_ms + 3_600_000, organization)
        actor.habits = Habits(
            system_prompt="Summarize the failures of this build.",
            has_tools=False,
            is_streamed=False,
            max_tokens=rng.choice((2048, 4096, 32_000)),
            organization_id=organization_id,
        )
        for _ in range(rng.randrange(4, 16)):
            scene.drain(
                actor,
                scene.moment(),
                rng.randrange(5, 35),
                scene.shop.middle + scene.shop.cheap,
                seconds=(0.8, 6),
                tokens=(rng.randrange(2_000, 20_000), rng.randrange(200, 800)),
                connection=networks.hosting(is_listed=rng.random() < 0.8),
            )
