"""A sign-up farm on one mailbox: plus-tags and dots make many addresses of one.

The cheapest farm there is, since the confirmations arrive in one place. Six to thirty accounts within hours or days;
each takes what a newcomer gets.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.6, payment=0.05)


def stage(scene: Scene) -> None:
    """One or two farms."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(rng.randrange(1, 3)):
        mailbox = people.free_mail()
        at_ms = scene.moment(0, 2)
        place = networks.place()
        for _ in range(scene.number(6, 24)):
            person = sharing(people.person(), email=people.alias(mailbox))
            actor = scene.actor(person, networks.home(place))
            actor.sign_up(at_ms)
            scene.use_up(
                actor,
                at_ms + rng.randrange(MINUTE_MS, 60 * MINUTE_MS),
                rng.randrange(4, 20),
                scene.shop.middle,
                seconds=(5, 50),
                tokens=(rng.randrange(3_000, 20_000), rng.randrange(300, 1_500)),
            )
            at_ms += rng.randrange(3 * MINUTE_MS, 180 * MINUTE_MS)
