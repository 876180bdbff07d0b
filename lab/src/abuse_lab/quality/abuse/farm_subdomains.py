"""A sign-up farm on one owned domain: every account has a sub-domain or a mailbox of it.

A domain costs a few dollars and takes mail for any name; sub-domains slip past counters that compare the whole domain.
Eight to twenty-five accounts in one to three days, from varied lines.
"""

from abuse_lab.quality.scene import MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.6, payment=0.05)


def stage(scene: Scene) -> None:
    """One farm."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    domain = people.domain()
    at_ms = scene.moment(0, 2)
    for number in range(scene.number(8, 24)):
        first, last = people.name()
        host = f"{rng.choice(('mx', 'mail', 'a', 'x', 'in'))}{number}.{domain}" if rng.random() < 0.7 else domain
        actor = scene.actor(people.person(f"{first}{last}{rng.randrange(10**4)}@{host}", ("email",)), networks.home())
        actor.sign_up(at_ms)
        scene.use_up(
            actor,
            at_ms + rng.randrange(MINUTE_MS, 60 * MINUTE_MS),
            rng.randrange(5, 25),
            scene.shop.middle,
            seconds=(5, 50),
            tokens=(rng.randrange(3_000, 20_000), rng.randrange(300, 1_500)),
        )
        at_ms += rng.randrange(5 * MINUTE_MS, 150 * MINUTE_MS)
