"""A company behind one egress address, signed in by SSO: same laptops, same browser build, same editor.

IT rolls the tool out on one day: dozens of accounts of one mail domain from one address, heavy use from the start.
"""

from dataclasses import replace

from abuse_lab.quality.scene import HOUR_MS, Scene


def stage(scene: Scene) -> None:
    """One company."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    gate = networks.office()
    domain = people.domain()
    organization = scene.organization("enterprise", has_sso=True, in_free_trial=rng.random() < 0.3)
    start_ms = scene.working_hour(rng.randrange(2), gate.place)
    editor = rng.choice(("VS Code", "JetBrains"))
    for number in range(scene.number(15, 40)):
        actor = scene.actor(replace(people.person(people.work_mail(domain)), providers=("workos",)), gate)
        actor.use_editor(editor)
        actor.habits.organization_id = organization["organization_id"]
        at_ms = start_ms + rng.randrange(6 * HOUR_MS)
        actor.sign_up(at_ms)
        actor.join(at_ms + 1_000, organization, is_founder=number == 0)
        actor.sign_in(at_ms + 60_000)
        scene.work(actor, scene.requests(5, 60), scene.shop.middle + scene.shop.dear, first_day=2)
