"""A sign-up farm on throw-away mail domains.

Mailboxes that live for ten minutes, at dozens of domains; most stand on public lists, new ones not yet. Accounts are
made by a script, ten to thirty in a day: over a few rented proxies, or by a service that gives each a line of its own.
"""

from abuse_lab.quality.scene import MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.4, payment=0.03)


def stage(scene: Scene) -> None:
    """One farm."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    exits = [networks.hosting(is_listed=rng.random() < 0.6) for _ in range(rng.randrange(2, 6))]
    is_rotating = rng.random() < 0.4
    at_ms = scene.moment(0, 2)
    for _ in range(scene.number(10, 28)):
        home = networks.as_script(networks.home()) if is_rotating else networks.neighbour(rng.choice(exits))
        actor = scene.actor(people.person(people.disposable_mail(), ("email",)), home)
        actor.sign_up(at_ms, networks.as_browser(home))
        scene.use_up(
            actor,
            at_ms + rng.randrange(MINUTE_MS, 90 * MINUTE_MS),
            rng.randrange(5, 30),
            scene.shop.middle + scene.shop.cheap,
            seconds=(3, 40),
            tokens=(rng.randrange(2_000, 15_000), rng.randrange(200, 1_500)),
        )
        at_ms += rng.randrange(2 * MINUTE_MS, 60 * MINUTE_MS)
