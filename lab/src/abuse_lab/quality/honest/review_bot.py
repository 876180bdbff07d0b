"""A review bot: it comments on every pull request of its owner's, all day, at up to half a request a second.

A live service soft-blocked its owner's bot on every request at 0.4 requests/s. Some are declared bots, the others run
as a member of an organization that pays; they never sign in, since a token is no sign-in, and run on rented machines.
"""

from abuse_lab.quality.scene import DAY_MS, Habits, Scene


def stage(scene: Scene) -> None:
    """Two to four bots."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(2, 4)):
        domain = scene.people.domain()
        home = networks.hosting(is_listed=rng.random() < 0.7)
        actor = scene.actor(scene.people.person(f"review-bot@{domain}", ("email",)), home)
        is_declared = rng.random() < 0.5
        actor.is_bot = is_declared
        actor.sign_up(scene.start_ms - rng.randrange(3, 200) * DAY_MS)
        organization = scene.organization(has_sso=rng.random() < 0.3)
        if not is_declared or rng.random() < 0.5:
            actor.join(actor.created_at_ms + 60_000, organization)
        actor.habits = Habits(
            system_prompt="You review pull requests. Be brief.",
            has_tools=rng.random() < 0.5,
            is_streamed=False,
            max_tokens=rng.choice((4096, 8192)),
            organization_id=organization["organization_id"] if actor.memberships else None,
        )
        start_ms = scene.working_hour(rng.randrange(scene.days - 1), home.place)
        scene.drain(
            actor,
            start_ms,
            scene.requests(500, 1100),
            scene.shop.middle + scene.shop.cheap,
            seconds=(1.6, rng.uniform(3, 6)),
            tokens=(rng.randrange(3_000, 12_000), rng.randrange(200, 900)),
        )
