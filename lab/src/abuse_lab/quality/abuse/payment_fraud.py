"""Credits bought with stolen cards, spent fast; the warning or the dispute comes hours or days after.

About 80 % of unanswered early warnings become disputes. The buyer spends on dear models from the first minute and goes
on after the warning, for nothing tells him of it. The cloud's admins block him, mostly, some hours after the dispute.
"""

from abuse_lab.quality.scene import HOUR_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.5)


def stage(scene: Scene) -> None:
    """Four to nine buyers."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(4, 9)):
        home = (
            networks.home()
            if rng.random() < 0.5
            else networks.as_browser(networks.hosting(is_listed=rng.random() < 0.6))
        )
        actor = scene.actor(people.person(people.machine_mail() if rng.random() < 0.5 else None), home)
        actor.sign_up(scene.moment(0, 2))
        at_ms = actor.created_at_ms + rng.randrange(2 * 60_000, HOUR_MS)
        actor.attach(at_ms)
        if rng.random() < 0.4:
            actor.decline(at_ms + 10_000, rng.choice(("do_not_honor", "generic_decline")), 2_000)
        charge = actor.pay(at_ms + 60_000, rng.choice((1_000, 2_000, 5_000, 10_000)))
        known_ms = at_ms + int(rng.uniform(4, 48) * HOUR_MS)
        is_warned = rng.random() < 0.6
        if is_warned:
            actor.warn(known_ms, charge)
        disputed_ms = known_ms + (int(rng.uniform(6, 40) * HOUR_MS) if is_warned else 0)
        if not is_warned or rng.random() < 0.8:
            actor.dispute(disputed_ms, charge)
            if rng.random() < 0.8:
                actor.block(disputed_ms + int(rng.uniform(0.5, 10) * HOUR_MS), "dispute", "admin@cloud.example")
        tool = networks.as_tool(home)
        for start_ms in (at_ms + 2 * 60_000, known_ms - HOUR_MS, known_ms + HOUR_MS, disputed_ms + 12 * HOUR_MS):
            scene.drain(
                actor,
                start_ms,
                rng.randrange(8, 30),
                scene.shop.dear + scene.shop.middle,
                seconds=(8, 60),
                tokens=(rng.randrange(10_000, 40_000), rng.randrange(800, 3_000)),
                connection=tool,
            )
        actor.sign_in(disputed_ms + 13 * HOUR_MS)
