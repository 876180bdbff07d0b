"""A household on one laptop: parents and children with an account each, one device, one line.

Two to four people share a computer's browser. Half of the households pay for one account; the others try the free
models. Their mail names differ, their use is small and not in step.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import DAY_MS, Scene


def stage(scene: Scene) -> None:
    """Five to twelve households."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(5, 12)):
        home, device = networks.home(), people.device()
        pays = rng.random() < 0.5
        for member in range(rng.choice((2, 2, 3, 4))):
            actor = scene.actor(sharing(people.person(), device=device), home)
            if member == 0 and pays:
                scene.veteran(actor, rng.choice((1_000, 2_000, 5_000)), rng.randrange(20, 300))
                scene.work(actor, scene.requests(10, 60), scene.shop.middle + scene.shop.cheap)
            else:
                actor.sign_up(scene.moment(0, 4) - rng.choice((0, 0, 1, 30)) * DAY_MS)
                scene.work_within(actor, rng.randrange(5_000, 250_000), scene.shop.free + scene.shop.cheap, 25)
            actor.sign_in(max(actor.created_at_ms + DAY_MS // 3, scene.moment(0, 5)))
