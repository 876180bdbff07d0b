"""A course that teaches the API: everybody runs the lecture's script, from one room, with one system prompt.

Twelve to thirty accounts without editor or tools behind one address, all new, all sending the same few prompts to a
small model: to the letter what a crowd of bots looks like, but for its size and its spend.
"""

from abuse_lab.quality.scene import HOUR_MS, MINUTE_MS, Habits, Scene


def stage(scene: Scene) -> None:
    """One course."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    room = networks.office()
    domain = f"students.{people.domain()}"
    first_ms = scene.working_hour(rng.randrange(scene.days - 2), room.place)
    prompt = rng.choice(
        (
            "You are a tutor in a beginners' course on programming. Answer in two sentences.",
            "You translate product names for an online shop. Reply with the translation only.",
            "You are a helpful assistant.",
        )
    )
    model = rng.choice(scene.shop.cheap + scene.shop.free)
    for _ in range(scene.number(12, 28)):
        email = people.work_mail(domain) if rng.random() < 0.5 else None
        script = networks.as_script(room)
        actor = scene.actor(people.person(email), networks.as_browser(room))
        actor.habits = Habits(system_prompt=prompt, has_tools=False, is_streamed=False, max_tokens=512)
        actor.sign_up(first_ms + rng.randrange(25 * MINUTE_MS))
        for hour in range(rng.randrange(1, 4)):
            at_ms = first_ms + hour * 24 * HOUR_MS + rng.randrange(30, 60) * MINUTE_MS
            for at in scene.session(at_ms, rng.randrange(2, 8), (10, 200)):
                actor.ask(at, model, tokens=(rng.randrange(100, 900), rng.randrange(50, 300)), connection=script)
