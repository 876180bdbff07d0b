"""Phones in a rack, each with a handful of accounts: what they share is the device, and nothing else.

Every account has a mailbox of its own and comes over its phone's carrier, from a fresh address each time the line is
dropped. Each asks little, mostly of small models, so that no account and no phone stands out by what it spends.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import HOUR_MS, MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.7, payment=0.05)


def stage(scene: Scene) -> None:
    """Two to four phones with three to eight accounts each."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(2, 4)):
        device = people.device()
        at_ms = scene.moment(0, 1.5)
        for _ in range(rng.randrange(3, 9)):
            # A carrier's pool is wide, and racks hold cards of several carriers.
            line = networks.mobile(networks.place()) if rng.random() < 0.5 else networks.home()
            email = people.machine_mail() if rng.random() < 0.5 else None
            actor = scene.actor(sharing(people.person(email), device=device), line)
            actor.sign_up(at_ms)
            actor.sign_in(at_ms + rng.randrange(10_000, 2 * MINUTE_MS))
            ended_ms = scene.use_up(
                actor,
                at_ms + rng.randrange(3 * MINUTE_MS, HOUR_MS),
                rng.randrange(5, 25),
                scene.shop.cheap + scene.shop.free,
                seconds=(10, 120),
                tokens=(rng.randrange(2_000, 12_000), rng.randrange(200, 1_200)),
                connection=networks.as_tool(line),
            )
            actor.sign_in(ended_ms + rng.randrange(HOUR_MS, 8 * HOUR_MS))
            at_ms = ended_ms + int(rng.uniform(0.2, 6) * HOUR_MS)
