"""A workshop where twenty to forty people sign up within minutes, behind one address, for the same exercise.

Conferences and companies teach with the product. Everybody has a mailbox of his own (large providers, employers), an
own laptop, the same editor, and types the same exercise from the slide; nobody pays on that day.
"""

from abuse_lab.quality.models import task
from abuse_lab.quality.scene import MINUTE_MS, Scene


def stage(scene: Scene) -> None:
    """One workshop, sometimes two."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    for _ in range(rng.choice((1, 1, 2))):
        gate = networks.office()
        start_ms = scene.working_hour(rng.randrange(scene.days), gate.place)
        slides = [task(rng) for _ in range(6)]
        editor = rng.choice(("VS Code", "JetBrains", "CLI"))
        model = rng.choice(scene.shop.free + scene.shop.cheap)
        domain = people.domain() if rng.random() < 0.4 else None
        tool = networks.as_tool(gate)
        for _ in range(scene.number(22, 38)):
            actor = scene.actor(people.person(people.work_mail(domain) if domain else None), networks.as_browser(gate))
            actor.use_editor(editor)
            actor.sign_up(start_ms + rng.randrange(18 * MINUTE_MS))
            at_ms = start_ms + 20 * MINUTE_MS
            for slide in slides[: rng.randrange(3, 7)]:
                for at in scene.session(at_ms + rng.randrange(4 * MINUTE_MS), rng.randrange(1, 4)):
                    actor.ask(at, model, tokens=(rng.randrange(3_000, 9_000), 400), connection=tool, prompt=slide)
                at_ms += 8 * MINUTE_MS
