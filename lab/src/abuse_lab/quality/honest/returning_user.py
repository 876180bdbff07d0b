"""A user who comes back after a year: another laptop, another country, another habit.

Paid once or never, long ago; the account is old, everything else about it is new. Some have changed their mailbox.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import HOUR_MS, Scene


def stage(scene: Scene) -> None:
    """Ten to twenty who return."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(10, 20)):
        actor = scene.actor()
        has_paid = rng.random() < 0.6
        days_ago = rng.randrange(330, 420)
        if has_paid:
            scene.veteran(actor, rng.choice((500, 1_000, 2_000)), days_ago)
        else:
            actor.sign_up(scene.start_ms - days_ago * 24 * HOUR_MS)
        for at in scene.session(actor.created_at_ms + HOUR_MS, rng.randrange(2, 10)):
            actor.ask(at, rng.choice(scene.shop.cheap), tokens=(3_000, 300))
        actor.home = networks.home()
        actor.person = sharing(actor.person, device=people.device())
        back_ms = scene.moment(0, 3)
        actor.sign_in(back_ms)
        tool = networks.as_tool(actor.home)
        models = scene.shop.middle + scene.shop.cheap if has_paid else scene.shop.free
        for at in scene.session(back_ms + 5 * 60_000, rng.randrange(8, 40), (15, 120)):
            actor.ask(at, rng.choice(models), tokens=(rng.randrange(2_000, 12_000), 500), connection=tool)
