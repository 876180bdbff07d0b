"""Partners whom an operator trusts by hand: a hackathon's teams, a researcher, a load test that was announced.

Unpaid, bare requests at a machine's pace from rented machines, far beyond what is given away: every sign of abuse, and
all of it agreed on. The operator lists the accounts, or the network of their machines, before it begins.
"""

from abuse_lab.quality.scene import HOUR_MS, MINUTE_MS, Habits, Scene


def stage(scene: Scene) -> None:
    """Two or three partners with two to four accounts each."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(2, 3)):
        rack = networks.hosting(is_listed=rng.random() < 0.6)
        domain = people.domain()
        start_ms = scene.working_hour(rng.randrange(1, scene.days), rack.place)
        by_network = rng.random() < 0.5
        why = rng.choice(("hackathon", "agreed load test", "research grant"))
        for number in range(rng.randrange(2, 5)):
            machine = networks.neighbour(rack)
            actor = scene.actor(people.person(people.work_mail(domain)), networks.home())
            actor.habits = Habits(
                system_prompt="You rate essays of the contest by the rubric and give one number and one sentence.",
                has_tools=False,
                is_streamed=False,
                max_tokens=rng.choice((1_024, 16_384)),
            )
            actor.sign_up(start_ms - rng.randrange(3, 40) * HOUR_MS)
            listed_ms = start_ms - rng.randrange(10, 100) * MINUTE_MS
            if not by_network:
                scene.trust_listed(listed_ms, actor, f"user:{actor.person.user_id}", why)
            elif number == 0:
                scene.trust_listed(listed_ms, actor, f"network:{rack.ip.rsplit('.', 1)[0]}.0/24", why)
            rate = rng.uniform(0.5, 5)
            scene.drain(
                actor,
                start_ms + rng.randrange(10 * MINUTE_MS),
                rng.randrange(100, 500),
                scene.shop.middle + scene.shop.dear,
                seconds=(0.5 / rate, 1.5 / rate),
                tokens=(rng.randrange(1_000, 5_000), rng.randrange(50, 300)),
                connection=machine,
            )
