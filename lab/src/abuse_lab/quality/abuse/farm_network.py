"""A sign-up farm behind one network: machine-made mailboxes at large providers, one address or one /24.

Ten to forty accounts in hours; names carry digits or are noise; nobody types like that, a new account every few
minutes. They are stock: used on the day they are made and again as free quotas come back.
"""

from abuse_lab.quality.scene import MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.4, payment=0.03)


def stage(scene: Scene) -> None:
    """One farm."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    gate = networks.hosting(is_listed=rng.random() < 0.5) if rng.random() < 0.5 else networks.office()
    at_ms = scene.moment(0, 2)
    for _ in range(scene.number(10, 36)):
        home = networks.as_script(networks.neighbour(gate) if rng.random() < 0.5 else gate)
        actor = scene.actor(people.person(people.machine_mail(), ("email",)), home)
        actor.sign_up(at_ms, networks.as_browser(home))
        scene.use_up(
            actor,
            at_ms + rng.randrange(20_000, 60 * MINUTE_MS),
            rng.randrange(6, 30),
            scene.shop.middle,
            seconds=(3, 40),
            tokens=(rng.randrange(3_000, 20_000), rng.randrange(300, 1_500)),
        )
        at_ms += rng.randrange(MINUTE_MS, 40 * MINUTE_MS)
