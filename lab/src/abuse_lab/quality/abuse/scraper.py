"""One unpaid account as a machine's back end: many requests a second.

Stands for people who sell a chat front end, or label a data set, on somebody else's free tier. A loop with a few
workers makes 2 to 12 requests a second for minutes; prompts are short and models cheap, so that money shows little.
"""

from abuse_lab.quality.scene import Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.2, payment=0.05)


def stage(scene: Scene) -> None:
    """Two to five scrapers."""
    rng = scene.rng
    for _ in range(scene.number(2, 5)):
        networks = scene.networks
        home = (
            networks.hosting(is_listed=rng.random() < 0.7)
            if rng.random() < 0.6
            else networks.as_script(networks.home())
        )
        actor = scene.actor(home=home)
        actor.habits = Habits(
            system_prompt=rng.choice((None, "You are a translator.", "Label the sentiment of the text.")),
            has_tools=False,
            is_streamed=False,
            max_tokens=rng.choice((None, 256, 1024)),
        )
        signed_up = scene.moment(0, 3)
        actor.sign_up(signed_up, networks.as_browser(home))
        rate = rng.uniform(2.5, 12)
        scene.drain(
            actor,
            signed_up + int(rng.uniform(60, 6 * 3600) * 1000),
            scene.requests(400, 1200),
            scene.shop.cheap + scene.shop.free,
            seconds=(0.5 / rate, 1.5 / rate),
            tokens=(rng.randrange(300, 3000), rng.randrange(50, 400)),
        )
