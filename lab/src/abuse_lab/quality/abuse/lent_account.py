"""One account lent across an ocean: two or three friends share a pass, each with his own tool, at the same hours.

Fewer places than a reseller's account has, and it pays: what gives it away is that it asks on two continents within
minutes, again and again, by clients that differ.
"""

from abuse_lab.quality.network import PLACES
from abuse_lab.quality.scene import DAY_MS, HOUR_MS, MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.7)
_FAR_DEGREES = 45.0


def stage(scene: Scene) -> None:
    """Three to seven accounts, each of two friends or three."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(3, 7)):
        actor = scene.actor()
        scene.veteran(actor, rng.choice((1_000, 2_000, 5_000)), rng.randrange(5, 200))
        if rng.random() < 0.6:
            actor.subscribe(scene.start_ms - rng.randrange(1, 3) * DAY_MS, rng.choice(("tier_19", "tier_49")))
        here = actor.home.place
        far = [place for place in PLACES if abs(place.longitude - here.longitude) > _FAR_DEGREES]
        friends = [networks.home(place) for place in rng.sample(far, rng.choice((1, 1, 2)))]
        tools = [networks.as_tool(line) for line in (actor.home, *friends)]
        for day in range(1, scene.days):
            if rng.random() < 0.3:
                continue
            at_ms = scene.working_hour(day, here) + rng.randrange(HOUR_MS)
            for tool in tools:
                scene.drain(
                    actor,
                    at_ms + rng.randrange(40 * MINUTE_MS),
                    rng.randrange(5, 25),
                    scene.shop.middle,
                    seconds=(20, 120),
                    tokens=(rng.randrange(3_000, 15_000), rng.randrange(300, 1_200)),
                    connection=tool,
                )
