"""Bots in steered browsers: every account on a line and a mailbox of its own, and the device check sees through them.

Stands for farms that rent residential lines by the account, so that nothing is shared: a vendor's check of the device
is all there is. It calls most of them forged or asks to challenge them; some slip through. They use what is given.
"""

from abuse_lab.quality.scene import HOUR_MS, MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.3, payment=0.03)


def stage(scene: Scene) -> None:
    """One farm of ten to twenty-two."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    at_ms = scene.moment(0, 2)
    for _ in range(scene.number(10, 22)):
        home = networks.home()
        actor = scene.actor(people.person(people.machine_mail() if rng.random() < 0.4 else None), home)
        actor.device_action, actor.is_authentic = rng.choice(
            (("BLOCK", False), ("BLOCK", True), ("CHALLENGE", False), ("CHALLENGE", True), ("ALLOW", True))
        )
        actor.sign_up(at_ms)
        actor.sign_in(at_ms + rng.randrange(5_000, MINUTE_MS))
        scene.use_up(
            actor,
            at_ms + rng.randrange(2 * MINUTE_MS, 2 * HOUR_MS),
            rng.randrange(6, 30),
            scene.shop.middle + scene.shop.cheap,
            seconds=(5, 60),
            tokens=(rng.randrange(2_000, 15_000), rng.randrange(300, 1_500)),
            connection=networks.as_tool(home),
        )
        at_ms += rng.randrange(3 * MINUTE_MS, 100 * MINUTE_MS)
