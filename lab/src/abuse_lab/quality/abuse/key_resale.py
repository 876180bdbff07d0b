"""One account sold to many: requests from many networks and with many tools, often from several countries at once.

Stands for resold keys and shared passes. Half have paid once; buyers sit in four to nine countries, or in one where the
reseller's channel is read, and ask at all hours, several at a time, each with his own tool and his own prompts.
"""

from abuse_lab.quality.network import PLACES
from abuse_lab.quality.scene import HOUR_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.8, payment=0.5)


def stage(scene: Scene) -> None:
    """Three to six resellers."""
    rng, networks = scene.rng, scene.networks
    for number in range(scene.number(3, 6)):
        actor = scene.actor()
        actor.sign_up(scene.moment(0, 1))
        if number % 2:
            actor.attach(actor.created_at_ms + HOUR_MS // 2)
            actor.pay(actor.created_at_ms + HOUR_MS // 2 + 30_000, rng.choice((1_000, 2_000, 5_000)))
        places = rng.sample(PLACES, rng.randrange(4, 10))
        if rng.random() < 0.35:
            places = [actor.home.place] * rng.randrange(12, 25)
        buyers = [networks.as_tool(networks.home(place)) for place in places]
        start_ms = actor.created_at_ms + HOUR_MS
        for buyer in buyers * rng.randrange(2, 4):
            at_ms = start_ms + int(rng.uniform(0, 40) * HOUR_MS)
            scene.drain(
                actor,
                at_ms,
                max(3, rng.randrange(30, 150) // len(buyers)),
                scene.shop.middle + scene.shop.dear,
                seconds=(10, 90),
                tokens=(rng.randrange(5_000, 25_000), rng.randrange(300, 1_500)),
                connection=buyer,
            )
