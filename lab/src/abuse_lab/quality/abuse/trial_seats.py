"""Trial after trial for the seats: organizations founded in turn, each left when the next is there, and little spent.

A trial's plan has more than allowances: longer context, faster queues, private projects. Half found each organization
from one account, the others make a new account with a new mailbox for it, on the device and the card of before.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import HOUR_MS, MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.95, payment=0.25)


def stage(scene: Scene) -> None:
    """Three to six who never leave trial."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(3, 6)):
        first = people.person()
        home = networks.home()
        is_one_account = rng.random() < 0.5
        actor = None
        at_ms = scene.moment(0, 1)
        for _ in range(rng.randrange(3, 6)):
            if actor is None or not is_one_account:
                actor = scene.actor(sharing(people.person(), device=first.device, card=first.card), home)
                actor.sign_up(at_ms)
                actor.attach(at_ms + MINUTE_MS)
            organization = scene.organization(in_free_trial=True)
            actor.join(at_ms + 2 * MINUTE_MS, organization, is_founder=True)
            actor.sign_in(at_ms + 3 * MINUTE_MS)
            actor.habits.organization_id = organization["organization_id"]
            scene.drain(
                actor,
                at_ms + rng.randrange(5, 200) * MINUTE_MS,
                rng.randrange(4, 14),
                scene.shop.cheap + scene.shop.middle,
                seconds=(15, 120),
                tokens=(rng.randrange(2_000, 8_000), rng.randrange(200, 900)),
                connection=networks.as_tool(home),
            )
            at_ms += int(rng.uniform(9, 26) * HOUR_MS)
            if is_one_account:
                actor.leave(at_ms - HOUR_MS, organization["organization_id"])
