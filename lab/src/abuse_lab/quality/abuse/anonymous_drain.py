"""Free models drained without an account, by the hundred, night and day, from one machine's fingerprint.

Gateways let visitors try their free models. Whoever runs a chat site of his own on that asks a few times a minute for
hours from one or two machines; money shows nothing, and there is no account to look at.
"""

from abuse_lab.quality.scene import Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.1, payment=0.02)


def stage(scene: Scene) -> None:
    """Three to six machines."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(3, 6)):
        home = (
            networks.hosting(is_listed=rng.random() < 0.6)
            if rng.random() < 0.6
            else networks.as_script(networks.home())
        )
        visitor = scene.visitor(home)
        visitor.habits = Habits(
            system_prompt=rng.choice((None, "You are a friendly companion.", "Answer in one paragraph.")),
            has_tools=False,
            max_tokens=rng.choice((None, 512, 2048)),
        )
        fastest = rng.uniform(1.5, 6)
        scene.drain(
            visitor,
            scene.moment(0, 4),
            scene.requests(300, 900),
            scene.shop.free,
            seconds=(fastest, fastest * rng.uniform(1.5, 4)),
            tokens=(rng.randrange(200, 4_000), rng.randrange(100, 600)),
        )
