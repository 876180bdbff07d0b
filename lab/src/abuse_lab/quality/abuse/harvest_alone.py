"""One unpaid account that takes answers of the dearest models and nothing else.

Stands for people who collect premium answers for a training set or a resold chat: only the dear models, no tools, no
editor, the ceiling of generated tokens as high as it goes, one system prompt, 80 to 300 requests in a day.
"""

from abuse_lab.quality.models import template
from abuse_lab.quality.scene import Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.5, payment=0.1)


def stage(scene: Scene) -> None:
    """Four to nine harvesters."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(4, 9)):
        home = (
            networks.as_script(networks.home())
            if rng.random() < 0.6
            else networks.hosting(is_listed=rng.random() < 0.7)
        )
        actor = scene.actor(scene.people.person(scene.people.machine_mail() if rng.random() < 0.5 else None), home)
        system, wish = template(rng)
        actor.habits = Habits(
            system_prompt=system,
            has_tools=False,
            is_streamed=rng.random() < 0.5,
            max_tokens=rng.choice((32_000, 64_000, 128_000, 16_384)),
        )
        actor.sign_up(scene.moment(0, 3.5), networks.as_browser(home))
        items = iter(range(rng.randrange(1000), 10**6))
        scene.drain(
            actor,
            actor.created_at_ms + rng.randrange(60_000, 8 * 3_600_000),
            scene.requests(80, 300),
            scene.shop.dear,
            seconds=(rng.uniform(4, 20), rng.uniform(21, 200)),
            tokens=(rng.randrange(200, 2_000), rng.randrange(1_500, 8_000)),
            prompt=lambda chance, items=items, wish=wish: wish.format(n=next(items), d=chance.randrange(1, 10)),
        )
