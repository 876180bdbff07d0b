"""Somebody with two accounts on one mailbox: work and private, by a tag he uses for everything.

Two accounts, rarely three, of one owner on one laptop; the second made weeks after the first. The private one uses free
models, the other pays.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import DAY_MS, Scene


def stage(scene: Scene) -> None:
    """Five to ten such people."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(5, 10)):
        first = scene.actor()
        scene.veteran(first, rng.choice((1_000, 2_000)), rng.randrange(20, 300))
        scene.work(first, scene.requests(5, 50), scene.shop.middle + scene.shop.cheap)
        local, _, domain = first.person.email.partition("@")
        email = f"{local}+{rng.choice(('work', 'private', 'oss', 'kilo'))}@{domain}"
        person = sharing(people.person(email), device=first.person.device)
        second = scene.actor(person, networks.as_browser(first.home))
        second.sign_up(scene.moment(0, 3) - rng.choice((0, 10)) * DAY_MS)
        scene.work_within(second, rng.randrange(5_000, 200_000), scene.shop.free, 25)
        second.sign_in(max(second.created_at_ms + DAY_MS // 3, scene.moment(3, 5)))
