"""A tablet or an old phone that a family hands around: two or three accounts on one device, at home and on the way.

The children's accounts try the free models for school; a parent's may pay. Signed up weeks apart, or all on the day on
which the first one told of it.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import DAY_MS, HOUR_MS, Scene


def stage(scene: Scene) -> None:
    """Five to ten families."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(5, 10)):
        device, home = people.device(), networks.home()
        on_the_way = networks.mobile(home.place)
        first_ms = scene.moment(0, 3)
        is_one_day = rng.random() < 0.4
        for member in range(rng.choice((2, 2, 3))):
            actor = scene.actor(sharing(people.person(), device=device), home)
            if member == 0 and rng.random() < 0.3:
                scene.veteran(actor, rng.choice((500, 1_000)), rng.randrange(20, 300))
                scene.work(actor, scene.requests(5, 30), scene.shop.middle + scene.shop.cheap)
            else:
                actor.sign_up(first_ms + (rng.randrange(6 * HOUR_MS) if is_one_day else -rng.randrange(40) * DAY_MS))
                scene.work_within(actor, rng.randrange(2_000, 120_000), scene.shop.free, scene.requests(3, 25))
            actor.sign_in(max(actor.created_at_ms + HOUR_MS, scene.moment(0, 5)), rng.choice((home, on_the_way)))
