"""Freelancers of one coworking space: strangers behind one address, each with an organization of his own.

Four to nine of them within weeks, told of the product by each other. Most pay from the start, some begin with a trial;
work is steady and by an editor.
"""

from abuse_lab.quality.scene import DAY_MS, MINUTE_MS, Scene


def stage(scene: Scene) -> None:
    """One or two spaces."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    for _ in range(rng.randrange(1, 3)):
        line = networks.office()
        for _ in range(scene.number(4, 9)):
            email = people.work_mail(people.domain()) if rng.random() < 0.7 else None
            actor = scene.actor(people.person(email), networks.as_browser(line))
            is_trial = rng.random() < 0.3
            actor.sign_up(scene.moment(0, 3) - rng.choice((0, 5, 20)) * DAY_MS)
            organization = scene.organization("teams", in_free_trial=is_trial)
            actor.join(actor.created_at_ms + 10 * MINUTE_MS, organization, is_founder=True)
            actor.habits.organization_id = organization["organization_id"]
            if not is_trial:
                actor.attach(actor.created_at_ms + 20 * MINUTE_MS)
                actor.pay(actor.created_at_ms + 21 * MINUTE_MS, rng.choice((1_000, 2_000)))
            actor.sign_in(max(actor.created_at_ms + 30 * MINUTE_MS, scene.moment(1, 4)))
            budget = rng.randrange(100_000, 800_000) if is_trial else 5_000_000
            scene.work_within(actor, budget, scene.shop.middle + scene.shop.cheap, scene.requests(10, 60))
