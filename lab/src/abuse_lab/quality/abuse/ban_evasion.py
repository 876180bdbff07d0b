"""Somebody who was blocked comes back on the same device, card or mailbox.

Minutes to days after a block a new account appears. The old account, made that day or months ago, is blocked by the
cloud's admin for what it did; both are abusive, the new one does the same as before.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import DAY_MS, HOUR_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.2)


def stage(scene: Scene) -> None:
    """Four to eight who come back."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(4, 8)):
        person = people.person()
        home = networks.home()
        first = scene.actor(person, home)
        began_ms = scene.moment(0, 1)
        first.sign_up(began_ms - rng.choice((0, rng.randrange(8, 200))) * DAY_MS)
        first.sign_in(began_ms + 30_000)
        first.attach(began_ms + 60_000)
        size = (rng.randrange(8_000, 25_000), rng.randrange(500, 2_000))
        tool = networks.as_tool(home)
        end_ms = scene.drain(
            first, began_ms + 120_000, rng.randrange(10, 40), scene.shop.middle, tokens=size, connection=tool
        )
        blocked_ms = end_ms + rng.randrange(HOUR_MS)
        first.block(blocked_ms, rng.choice(("abuse", "smart rate limiting", "terms of service")), "admin@cloud.example")
        first.sign_in(blocked_ms + rng.randrange(60_000, HOUR_MS))
        shared = rng.choice(("device", "card", "mailbox"))
        new = people.person()
        if shared == "device":
            new = sharing(new, device=person.device)
        elif shared == "card":
            new = sharing(new, card=person.card)
        else:
            new = sharing(new, email=people.alias(person.email))
        line = home if rng.random() < 0.5 else networks.home(home.place)
        second = scene.actor(new, line)
        second.sign_up(blocked_ms + int(rng.uniform(0.2, 40) * HOUR_MS))
        second.sign_in(second.created_at_ms + 30_000)
        if shared == "card":
            second.attach(second.created_at_ms + 60_000)
        scene.drain(
            second,
            second.created_at_ms + 2 * 60_000,
            rng.randrange(12, 50),
            scene.shop.middle,
            seconds=(5, 40),
            tokens=size,
            connection=networks.as_tool(line),
        )
