"""A frontier model given away for its launch week, harvested for a training set: money shows nothing of it.

Whoever collects answers comes when they are free: hundreds of long answers of one promoted model in a day, no tools, no
editor, the ceiling as high as it goes. Each account alone, on a line of its own.
"""

from dataclasses import replace

from abuse_lab.quality.models import template
from abuse_lab.quality.scene import Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.5, payment=0.1)


def stage(scene: Scene) -> None:
    """Three to seven harvesters of one promotion."""
    rng, networks = scene.rng, scene.networks
    promoted = replace(rng.choice(scene.shop.dear), input_price=10_000, output_price=30_000)
    for _ in range(scene.number(3, 7)):
        home = networks.as_script(networks.home())
        actor = scene.actor(home=home)
        system, wish = template(rng)
        actor.habits = Habits(
            system_prompt=system,
            has_tools=False,
            is_streamed=rng.random() < 0.5,
            max_tokens=rng.choice((None, 32_000, 64_000, 128_000)),
        )
        actor.sign_up(scene.moment(0, 3.5), networks.as_browser(home))
        items = iter(range(rng.randrange(1000), 10**6))
        scene.drain(
            actor,
            actor.created_at_ms + rng.randrange(60_000, 8 * 3_600_000),
            scene.requests(90, 350),
            (promoted,),
            seconds=(rng.uniform(5, 20), rng.uniform(21, 120)),
            tokens=(rng.randrange(200, 2_000), rng.randrange(2_500, 8_000)),
            prompt=lambda chance, items=items, wish=wish: wish.format(n=next(items), d=chance.randrange(1, 10)),
        )
