"""Somebody who was blocked by mistake and let back in after an appeal, with a flatmate on the same computer.

The cloud's clean-up blocked him, its support lifted the block. What he does counts from then on: an unblock leaves an
exception behind, for the flatmate as well.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import DAY_MS, HOUR_MS, Scene


def stage(scene: Scene) -> None:
    """Four to eight of them, half with a flatmate."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(4, 8)):
        actor = scene.actor()
        actor.sign_up(scene.start_ms - rng.randrange(10, 200) * DAY_MS)
        blocked_ms = scene.moment(0, 1)
        actor.block(blocked_ms, "bulk clean-up", "admin@cloud.example")
        back_ms = blocked_ms + int(rng.uniform(1, 30) * HOUR_MS)
        actor.unblock(back_ms, "appeal granted", "support@cloud.example")
        actor.sign_in(back_ms + HOUR_MS // 2)
        tool = networks.as_tool(actor.home)
        for at in scene.session(back_ms + HOUR_MS, rng.randrange(5, 40), (15, 200)):
            actor.ask(at, rng.choice(scene.shop.free), tokens=(4_000, 400), connection=tool)
        if rng.random() < 0.5:
            flatmate = scene.actor(
                sharing(people.person(), device=actor.person.device), networks.as_browser(actor.home)
            )
            flatmate.sign_up(back_ms + rng.randrange(2 * HOUR_MS, DAY_MS))
            flatmate.sign_in(flatmate.created_at_ms + HOUR_MS)
            scene.work_within(flatmate, rng.randrange(5_000, 200_000), scene.shop.free, 30)
