"""Visitors without an account who try the free models, alone or a class of them behind one address.

A command-line tool asks for nothing before its first answer. Most leave after a few requests; a class has the same
tool on the same machines, so that to a gateway it is one visitor.
"""

from abuse_lab.quality.scene import HOUR_MS, MINUTE_MS, Scene


def stage(scene: Scene) -> None:
    """Fifteen to thirty visitors, and a class of five to twelve."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(15, 30)):
        visitor = scene.visitor(networks.as_tool(networks.home()))
        for at in scene.session(scene.moment(), scene.requests(1, 50), (10, 200)):
            visitor.ask(at, rng.choice(scene.shop.free), tokens=(rng.randrange(500, 8_000), rng.randrange(50, 800)))
    room = networks.as_tool(networks.office())
    start_ms = scene.working_hour(rng.randrange(scene.days), room.place)
    for _ in range(scene.number(5, 12)):
        visitor = scene.visitor(room)
        at_ms = start_ms + rng.randrange(20 * MINUTE_MS)
        for at in scene.session(at_ms, rng.randrange(3, 12), (20, 300)):
            if at < start_ms + 2 * HOUR_MS:
                visitor.ask(at, rng.choice(scene.shop.free), tokens=(rng.randrange(500, 4_000), 300))
