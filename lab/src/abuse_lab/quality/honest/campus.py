"""A campus behind one address: students of a course, all unpaid, in the same weeks.

A university's wireless network leaves by one or two addresses. Forty to a hundred and twenty students sign up within
days of the first lecture with the university's mail domain or their own, and do a little each on the small models.
"""

from abuse_lab.quality.scene import DAY_MS, HOUR_MS, Scene


def stage(scene: Scene) -> None:
    """One campus."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    gate = networks.office()
    domain = f"students.{people.domain()}"
    for _ in range(scene.number(40, 90)):
        email = people.work_mail(domain) if rng.random() < 0.6 else None
        gateway = gate if rng.random() < 0.7 else networks.neighbour(gate)
        home = networks.as_browser(gateway)
        actor = scene.actor(people.person(email=email), home)
        day = min(scene.days - 1.2, rng.expovariate(0.8))
        actor.sign_up(scene.start_ms + int(day * DAY_MS) + int(rng.gauss(10, 2) * HOUR_MS) % DAY_MS)
        scene.work_within(
            actor, rng.randrange(5_000, 150_000), scene.shop.free + scene.shop.cheap, scene.requests(4, 40)
        )
        if rng.random() < 0.4:
            actor.sign_in(actor.created_at_ms + int(rng.uniform(0.5, 1.5) * DAY_MS))
