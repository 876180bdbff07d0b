"""Organizations made in turn for their trials, the same people moving from one to the next.

A trial gives an organization days of paid plan. One device or card founds the next when one ends (here: every ten to
thirty hours, as fast as trials are used up), the members follow and spend the trial's allowance on dear models.
"""

from abuse_lab.quality.person import sharing
from abuse_lab.quality.scene import HOUR_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.2)


def stage(scene: Scene) -> None:
    """One or two groups of hoppers."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(rng.randrange(1, 3)):
        founder = people.person()
        home = networks.home()
        at_ms = scene.moment(0, 0.5)
        follower = scene.actor(people.person(), networks.home(home.place))
        follower.sign_up(at_ms - HOUR_MS)
        for _ in range(rng.randrange(3, 6)):
            person = sharing(people.person(), device=founder.device, card=founder.card)
            actor = scene.actor(person, networks.as_browser(home))
            organization = scene.organization(in_free_trial=True)
            actor.sign_up(at_ms)
            actor.join(at_ms + 60_000, organization, is_founder=True)
            actor.attach(at_ms + 90_000)
            actor.sign_in(at_ms + 100_000)
            follower.join(at_ms + 10 * 60_000, organization)
            for member in (actor, follower):
                member.habits.organization_id = organization["organization_id"]
                scene.drain(
                    member,
                    at_ms + rng.randrange(15, 90) * 60_000,
                    rng.randrange(12, 40),
                    scene.shop.dear + scene.shop.middle,
                    seconds=(8, 60),
                    tokens=(rng.randrange(8_000, 25_000), rng.randrange(500, 2_000)),
                    connection=networks.as_tool(member.home),
                )
            at_ms += int(rng.uniform(10, 30) * HOUR_MS)
            follower.leave(at_ms - HOUR_MS, organization["organization_id"])
