"""A paying team's swarm of agents: one prompt template, in step, from rented machines, dozens at once.

Four to ten members of an organization on a paid plan, each with many agents that share a system prompt and start
together. From outside it looks like a distillery; what tells it apart is who pays.
"""

from abuse_lab.quality.models import template
from abuse_lab.quality.scene import DAY_MS, Habits, Scene


def stage(scene: Scene) -> None:
    """One or two teams."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    for _ in range(rng.randrange(1, 3)):
        domain = people.domain()
        organization = scene.organization(has_sso=rng.random() < 0.4)
        organization_id = organization["organization_id"]
        system, wish = template(rng)
        gate = networks.hosting(is_listed=rng.random() < 0.7)
        office = networks.office()
        start_ms = scene.working_hour(rng.randrange(1, scene.days), office.place)
        for number in range(scene.number(4, 9)):
            actor = scene.actor(people.person(people.work_mail(domain), ("google",)), networks.as_browser(office))
            actor.sign_up(scene.start_ms - rng.randrange(2, 100) * DAY_MS)
            actor.join(actor.created_at_ms + 60_000, organization, is_founder=number == 0)
            if number == 0:
                actor.attach(actor.created_at_ms + 600_000)
                actor.pay(actor.created_at_ms + 700_000, rng.choice((10_000, 50_000)))
            actor.habits = Habits(
                system_prompt=system, has_tools=rng.random() < 0.7, max_tokens=32_000, organization_id=organization_id
            )
            machine = networks.neighbour(gate)
            for agent in range(rng.randrange(3, 9)):
                for step, at in enumerate(
                    scene.session(start_ms + rng.randrange(5_000), rng.randrange(10, 30), (3, 25))
                ):
                    prompt = wish.format(n=agent * 100 + step, d=step % 9)
                    tokens = (rng.randrange(2_000, 15_000), rng.randrange(300, 2_500))
                    model = rng.choice(scene.shop.dear + scene.shop.middle)
                    actor.ask(at, model, tokens=tokens, connection=machine, prompt=prompt)
