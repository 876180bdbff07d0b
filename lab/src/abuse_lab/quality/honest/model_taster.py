"""Somebody who tries every new model for an evening: many distinct models, a script without tools, then nothing.

Readers of launch news with free credits or a small purchase. They send the same ten questions to each model on sale,
the dear ones too, a few cents in all or what they were given.
"""

from abuse_lab.quality.models import task
from abuse_lab.quality.scene import HOUR_MS, Habits, Scene


def stage(scene: Scene) -> None:
    """Eight to sixteen tasters."""
    rng, networks = scene.rng, scene.networks
    for _ in range(scene.number(8, 16)):
        actor = scene.actor()
        actor.sign_up(scene.moment(0, 4))
        pays = rng.random() < 0.5
        if pays:
            actor.attach(actor.created_at_ms + 5 * 60_000)
            actor.pay(actor.created_at_ms + 6 * 60_000, rng.choice((500, 1_000)))
        line = actor.home
        if rng.random() < 0.5:
            actor.habits = Habits(system_prompt=None, has_tools=False, max_tokens=rng.choice((None, 4096, 32_000)))
            line = networks.as_script(actor.home)
        questions = [task(rng) for _ in range(rng.randrange(2, 8))]
        at_ms = actor.created_at_ms + rng.randrange(HOUR_MS // 4, 8 * HOUR_MS)
        budget = 4_000_000 if pays else max(150_000, int(scene.cloud.grant_microdollars * 0.9))
        for model in scene.shop.all if pays else scene.shop.free + scene.shop.cheap + scene.shop.middle:
            for question in questions:
                tokens = (rng.randrange(80, 600), rng.randrange(200, 1_200))
                budget -= model.usage(*tokens, 1.0).cost_microdollars
                if budget < 0:
                    break
                actor.ask(at_ms, model, tokens=tokens, connection=line, prompt=question)
                at_ms += rng.randrange(6_000, 60_000)
