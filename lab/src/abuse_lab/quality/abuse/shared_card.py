"""One card, many accounts: the card unlocks what each new account is given, or pays the smallest sum once.

Three to eight accounts within days, names and addresses apart, one card fingerprint. A cloud of today tells no
fingerprint: there only what the accounts do is left.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import HOUR_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.3)


def stage(scene: Scene) -> None:
    """Two or three cards."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(2, 3)):
        card = people.token(16)
        place = networks.place()
        line = networks.home(place)
        at_ms = scene.moment(0, 1)
        for _ in range(rng.randrange(3, 9)):
            home = networks.as_browser(line) if rng.random() < 0.5 else networks.home(place)
            actor = scene.actor(sharing(people.person(), card=card), home)
            actor.sign_up(at_ms)
            actor.attach(at_ms + 60_000)
            if rng.random() < 0.3:
                actor.pay(at_ms + 90_000, rng.choice((100, 200, 500)))
            end_ms = scene.use_up(
                actor,
                at_ms + rng.randrange(2 * 60_000, HOUR_MS),
                rng.randrange(12, 50),
                scene.shop.middle + scene.shop.dear,
                seconds=(6, 60),
                tokens=(rng.randrange(8_000, 30_000), rng.randrange(500, 2_500)),
                connection=networks.as_tool(home),
            )
            at_ms = end_ms + int(rng.uniform(0.2, 12) * HOUR_MS)
