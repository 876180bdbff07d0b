"""Subscribers of one mobile carrier: strangers behind the same few translated addresses, all with popular phones.

Carriers put thousands behind one IPv4 address. Six to twenty of them sign up in the same days; they share a network and
often an address and a browser build, and nothing else.
"""

from abuse_lab.quality.scene import DAY_MS, Scene


def stage(scene: Scene) -> None:
    """One or two carriers."""
    rng, networks = scene.rng, scene.networks
    for _ in range(rng.randrange(1, 3)):
        place = networks.place()
        for _ in range(scene.number(8, 22)):
            actor = scene.actor(home=networks.mobile(place))
            actor.sign_up(scene.moment(0, scene.days - 1))
            scene.work_within(actor, rng.randrange(2_000, 300_000), scene.shop.free, scene.requests(3, 40))
            if rng.random() < 0.3:
                actor.home = networks.mobile(place)
                actor.sign_in(actor.created_at_ms + DAY_MS // 2)
