"""A paying team's key found by somebody who runs it as hard as the line takes.

A key in a public repository: within the hour it feeds a labelling job at twenty to sixty requests a second, cheap
models and small prompts, from a few rented machines. The team is on a paid plan, and such teams run machines of their
own, so that being new to a network says nothing.
"""

from abuse_lab.quality.scene import DAY_MS, Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.1, payment=0.05)


def stage(scene: Scene) -> None:
    """One key, sometimes two."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    for _ in range(rng.choice((1, 1, 2))):
        domain = people.domain()
        actor = scene.actor(people.person(people.work_mail(domain), ("google",)), networks.office())
        stolen_ms = scene.moment(2, scene.days - 1)
        actor.turned_at_ms = stolen_ms
        scene.veteran(actor, rng.choice((5_000, 10_000, 20_000)), rng.randrange(30, 300))
        organization = scene.organization()
        actor.join(actor.created_at_ms + DAY_MS, organization, is_founder=True)
        actor.habits.organization_id = organization["organization_id"]
        tool = networks.as_tool(actor.home)
        for day in range(-3, scene.days):
            for at in scene.session(scene.working_hour(day, actor.home.place), rng.randrange(4, 20), (10, 120)):
                if at < stolen_ms:
                    actor.ask(at, rng.choice(scene.shop.middle), connection=tool)
        actor.habits = Habits(
            system_prompt="Label the sentiment of the text.",
            has_tools=False,
            is_streamed=False,
            max_tokens=rng.choice((None, 64, 256)),
            organization_id=organization["organization_id"],
        )
        machines = [networks.hosting(is_listed=rng.random() < 0.6) for _ in range(rng.randrange(1, 4))]
        rate = rng.uniform(25, 60) / len(machines)
        for machine in machines:
            scene.drain(
                actor,
                stolen_ms,
                rng.randrange(2_200, 3_200) // len(machines),
                scene.shop.cheap,
                seconds=(0.5 / rate, 1.5 / rate),
                tokens=(rng.randrange(200, 1_500), rng.randrange(20, 200)),
                connection=machine,
            )
