"""Somebody whom an operator listed comes back: under the same mail domain, from the same rack, or as if nothing were.

An operator who has seen enough of a crew puts what its accounts share in the list of those who are not served: their
own domain, or the network of their rented machines; a lone one by his id. Those who come later ask little, with
everything else new.
"""

from abuse_lab.quality.network import Connection
from abuse_lab.quality.scene import HOUR_MS, MINUTE_MS, Abuser, Actor, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.3)


def stage(scene: Scene) -> None:
    """Two or three crews."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(2, 3)):
        domain = people.domain()
        rack = networks.hosting(is_listed=False)
        shared = rng.choice(("domain", "network", "nothing"))
        first = _member(scene, domain, rack, shared, scene.moment(0, 1))
        seen_ms = _ask(scene, first, first.created_at_ms + 20 * MINUTE_MS)
        listed_ms = seen_ms + rng.randrange(10 * MINUTE_MS, 6 * HOUR_MS)
        entry = {
            "domain": f"domain:{domain}",
            "network": f"network:{rack.ip.rsplit('.', 1)[0]}.0/24",
            "nothing": f"user:{first.person.user_id}",
        }[shared]
        scene.block_listed(listed_ms, first, entry, rng.choice(("resale of free use", "case 4711", "scripted abuse")))
        _ask(scene, first, listed_ms + rng.randrange(MINUTE_MS, 5 * HOUR_MS))
        for _ in range(0 if shared == "nothing" else rng.randrange(2, 5)):
            later = _member(scene, domain, rack, shared, listed_ms + int(rng.uniform(0.2, 60) * HOUR_MS))
            _ask(scene, later, later.created_at_ms + rng.randrange(10, 90) * MINUTE_MS)


def _member(scene: Scene, domain: str, rack: Connection, shared: str, at_ms: int) -> Actor:
    people, networks = scene.people, scene.networks
    email = people.work_mail(domain) if shared == "domain" else None
    home = networks.as_tool(networks.neighbour(rack)) if shared == "network" else networks.home()
    actor = scene.actor(people.person(email), home)
    actor.sign_up(at_ms, networks.as_browser(home))
    return actor


def _ask(scene: Scene, actor: Actor, at_ms: int) -> int:
    rng = scene.rng
    models = scene.shop.middle + scene.shop.cheap
    tokens = (rng.randrange(2_000, 9_000), rng.randrange(200, 1_000))
    connection = scene.networks.as_tool(actor.home)
    return scene.drain(actor, at_ms, rng.randrange(5, 20), models, tokens=tokens, connection=connection)
