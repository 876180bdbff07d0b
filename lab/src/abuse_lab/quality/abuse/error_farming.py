"""An unpaid account whose requests nearly all fail, hundreds of times.

Stands for probes of filters and limits, and for broken loops on a stranger's bill: 95 % and more end in errors, so that
reports name no tokens and no cost. Ordinary pace, day and night.
"""

from abuse_lab.quality.scene import Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.2, payment=0.05)


def stage(scene: Scene) -> None:
    """Two to four farmers of errors."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(2, 4)):
        home = networks.as_script(networks.home())
        actor = scene.actor(home=home)
        actor.habits = Habits(has_tools=False, is_streamed=False, max_tokens=rng.choice((None, 1, 200_000)))
        actor.sign_up(scene.moment(0, 1), networks.as_browser(home))
        at_ms = actor.created_at_ms + rng.randrange(60_000, 3_600_000)
        for at in scene.session(at_ms, scene.requests(300, 800), (15, rng.uniform(60, 400))):
            actor.ask(at, rng.choice(scene.shop.cheap), tokens=(800, 100), fails=rng.random() < rng.uniform(0.95, 1.0))
