"""Many accounts with one prompt template, each asking little of the dearest models.

The same harvest spread over accounts so that none stands out: eight to twenty-four accounts, made in a batch, ten to
forty requests each, one system prompt to the byte, addresses of a rented proxy pool.
"""

from abuse_lab.quality.models import template
from abuse_lab.quality.scene import HOUR_MS, Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.4, payment=0.05)


def stage(scene: Scene) -> None:
    """One or two harvests."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    for _ in range(rng.randrange(1, 3)):
        system, wish = template(rng)
        start_ms = scene.moment(0, 3)
        pool = [networks.hosting(is_listed=rng.random() < 0.5) for _ in range(rng.randrange(2, 7))]
        is_residential = rng.random() < 0.4
        ceiling = rng.choice((16_384, 32_000, 64_000))
        items = iter(range(10**6))
        for _ in range(scene.number(8, 24)):
            home = networks.as_script(networks.home()) if is_residential else networks.neighbour(rng.choice(pool))
            actor = scene.actor(people.person(people.machine_mail()), home)
            actor.habits = Habits(system_prompt=system, has_tools=False, is_streamed=False, max_tokens=ceiling)
            actor.sign_up(start_ms + rng.randrange(8 * HOUR_MS), networks.as_browser(home))
            scene.use_up(
                actor,
                actor.created_at_ms + rng.randrange(60_000, 10 * HOUR_MS),
                rng.randrange(10, 40),
                scene.shop.dear,
                seconds=(10, 120),
                tokens=(rng.randrange(200, 1_500), rng.randrange(1_000, 5_000)),
                prompt=lambda chance, items=items, wish=wish: wish.format(n=next(items), d=chance.randrange(1, 10)),
            )
