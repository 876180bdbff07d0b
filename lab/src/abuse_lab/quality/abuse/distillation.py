"""A model distilled: many accounts work off one list of prompts in step, and move to each new model on its first day.

Ten to twenty accounts with one template, requests in the same seconds of every round, one model at a time for all of
them, answers as long as they come. Some accounts have paid a little, so that nothing is unpaid.
"""

from abuse_lab.quality.models import template
from abuse_lab.quality.scene import HOUR_MS, Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.3, payment=0.3)


def stage(scene: Scene) -> None:
    """One distillery."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    system, wish = template(rng)
    start_ms = scene.moment(0.5, 2)
    gates = [networks.hosting(is_listed=rng.random() < 0.5) for _ in range(rng.randrange(2, 6))]
    actors = []
    for _ in range(scene.number(8, 18)):
        home = networks.neighbour(rng.choice(gates))
        actor = scene.actor(people.person(people.machine_mail() if rng.random() < 0.5 else None), home)
        actor.habits = Habits(system_prompt=system, has_tools=False, is_streamed=False, max_tokens=16_384)
        actor.sign_up(start_ms - rng.randrange(HOUR_MS, 40 * HOUR_MS), networks.as_browser(home))
        if rng.random() < 0.3:
            actor.attach(actor.created_at_ms + 20 * 60_000)
            actor.pay(actor.created_at_ms + 21 * 60_000, rng.choice((500, 1_000)))
        actors.append(actor)
    item = 0
    at_ms = start_ms
    for number in range(rng.randrange(14, 30)):
        model = scene.shop.dear[number // 8 % len(scene.shop.dear)]
        for actor in actors:
            item += 1
            tokens = (rng.randrange(300, 1_500), rng.randrange(2_000, 6_000))
            prompt = wish.format(n=item, d=rng.randrange(1, 10))
            actor.ask(at_ms + rng.randrange(3_000), model, tokens=tokens, prompt=prompt)
        at_ms += rng.randrange(60_000, 20 * 60_000)
