"""Cards tried one after the other: lists of stolen numbers, checked for which still work.

Small charges (1 to 5 USD) every few seconds to minutes, most declined with ever other reasons, a new card each time;
what works is detached again and used elsewhere. Of the models hardly any use is made.
"""

from abuse_lab.quality.scene import MINUTE_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.5, payment=0.5)

_CODES = (
    "do_not_honor",
    "generic_decline",
    "stolen_card",
    "lost_card",
    "incorrect_cvc",
    "expired_card",
    "fraudulent",
    None,
)


def stage(scene: Scene) -> None:
    """Three to seven testers."""
    rng, people, networks = scene.rng, scene.people, scene.networks
    for _ in range(scene.number(3, 7)):
        actor = scene.actor(
            people.person(people.machine_mail()), networks.as_browser(networks.hosting(is_listed=rng.random() < 0.5))
        )
        actor.sign_up(scene.moment(0, 4))
        at_ms = actor.created_at_ms + rng.randrange(MINUTE_MS, 60 * MINUTE_MS)
        for number in range(rng.randrange(5, 25)):
            card = people.token(16)
            method = actor.attach(at_ms, card)
            at_ms += rng.randrange(2_000, 9_000)
            cents = rng.randrange(100, 500)
            if number > 3 and rng.random() < 0.06:
                actor.pay(at_ms, cents, card)
            else:
                actor.decline(at_ms, rng.choice(_CODES), cents, card)
            actor.detach(at_ms + 4_000, method, card)
            at_ms += rng.randrange(5_000, 5 * MINUTE_MS)
        actor.sign_in(at_ms)
        for at in scene.session(at_ms + MINUTE_MS, rng.randrange(1, 6)):
            actor.ask(at, rng.choice(scene.shop.cheap))
