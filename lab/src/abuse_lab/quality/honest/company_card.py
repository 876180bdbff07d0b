"""One company card on several colleagues' accounts: each expenses his own ten dollars.

Two to five people of one mail domain, one card fingerprint, own laptops, an office's address and homes. All pay.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import DAY_MS, Scene


def stage(scene: Scene) -> None:
    """Three to six companies."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    for _ in range(scene.number(3, 6)):
        card, domain, office = people.token(16), people.domain(), networks.office()
        for _ in range(rng.choice((2, 2, 3, 4, 5))):
            person = sharing(people.person(people.work_mail(domain)), card=card)
            actor = scene.actor(person, networks.as_browser(office) if rng.random() < 0.6 else None)
            scene.veteran(actor, rng.choice((1_000, 2_000, 5_000)), rng.randrange(1, 200))
            scene.work(actor, scene.requests(10, 60), scene.shop.middle + scene.shop.cheap)
            actor.pay(scene.moment(2, 5), rng.choice((1_000, 2_000)))
            assert actor.created_at_ms < scene.start_ms + DAY_MS
