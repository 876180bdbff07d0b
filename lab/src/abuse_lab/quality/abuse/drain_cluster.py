"""One person with several accounts, each modest, together a drain. They share a device, a card or a mailbox.

Stands for the commonest abuse of free tiers: when one account is used up the next is made, on the same laptop, with a
variant of the same mailbox, or with the card that unlocks the free credits. Four to nine accounts in a few days.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import HOUR_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.15)


def stage(scene: Scene) -> None:
    """Two to four such people."""
    rng, people = scene.rng, scene.people
    for _ in range(scene.number(2, 4)):
        first = people.person()
        home = scene.networks.home()
        shared = rng.choice(("device", "card", "mailbox"))
        at_ms = scene.moment(0, 1)
        models = rng.choice((scene.shop.middle, scene.shop.middle + scene.shop.dear))
        for number in range(rng.randrange(4, 10)):
            person = people.person()
            if shared == "device":
                person = sharing(person, device=first.device)
            elif shared == "card":
                person = sharing(person, card=first.card)
            elif number:
                person = sharing(person, email=people.alias(first.email))
            line = home if rng.random() < 0.6 else scene.networks.home(home.place)
            actor = scene.actor(person if number else first, line)
            actor.sign_up(at_ms)
            actor.sign_in(at_ms + 10_000)
            if shared == "card":
                actor.attach(at_ms + 40_000)
            spent_ms = scene.use_up(
                actor,
                at_ms + rng.randrange(60_000, HOUR_MS),
                rng.randrange(10, 40),
                models,
                seconds=(8, 60),
                tokens=(rng.randrange(8_000, 25_000), rng.randrange(500, 2_000)),
                connection=scene.networks.as_tool(line),
            )
            at_ms = spent_ms + int(rng.uniform(0.1, 14) * HOUR_MS)
