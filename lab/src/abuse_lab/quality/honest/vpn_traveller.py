"""A traveller behind a VPN: the country jumps between requests, the addresses are a hosting provider's.

A tunnel's exit changes with a click or by itself. Half of them pay, the others use the free models a little; one
device, one person's pace: never two places at the same minute, though often two within the hour. A third change between
an editor and the command line.
"""

from abuse_lab.quality.network import PLACES
from abuse_lab.quality.scene import DAY_MS, HOUR_MS, Scene


def stage(scene: Scene) -> None:
    """Eight to fifteen travellers."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(8, 15)):
        actor = scene.actor()
        pays = rng.random() < 0.5
        if pays:
            scene.veteran(actor, rng.choice((1_000, 2_000)), rng.randrange(10, 300))
        else:
            actor.sign_up(scene.moment(0, 2) - rng.choice((0, 20)) * DAY_MS, networks.as_browser(networks.hosting()))
        models = scene.shop.middle + scene.shop.cheap if pays else scene.shop.free
        tools = [networks.as_tool(actor.home) for _ in range(rng.choice((1, 1, 2)))]
        for day in range(1, scene.days):
            at_ms = max(scene.working_hour(day, actor.home.place), actor.created_at_ms + HOUR_MS)
            for _ in range(rng.randrange(1, 3)):
                exit_ = networks.hosting(is_listed=rng.random() < 0.7)
                here = exit_ if rng.random() < 0.7 else networks.home(rng.choice(PLACES))
                tool = rng.choice(tools)
                moved = type(tool)(ip=here.ip, place=here.place, ja4=tool.ja4, agent=tool.agent)
                for at in scene.session(at_ms, rng.randrange(3, 12)):
                    actor.ask(at, rng.choice(models), tokens=(6_000, 500), connection=moved)
                    at_ms = at
                at_ms += rng.randrange(10 * 60_000, 2 * HOUR_MS)
