"""A customer whose card is declined before it works.

Banks refuse first payments to strangers: one to five declines within half an hour (no funds, a wrong code, the bank's
own doubt), with one or two cards, then a payment that holds. Afterwards an ordinary customer.
"""

from abuse_lab.quality.scene import HOUR_MS, Scene

_CODES = ("insufficient_funds", "do_not_honor", "incorrect_cvc", "authentication_required", "generic_decline", None)


def stage(scene: Scene) -> None:
    """Ten to twenty such customers."""
    rng, people = scene.rng, scene.people
    for _ in range(scene.number(10, 20)):
        actor = scene.actor()
        actor.sign_up(scene.moment(0, 3))
        at_ms = actor.created_at_ms + rng.randrange(5 * 60_000, 10 * HOUR_MS)
        cents = rng.choice((1_000, 2_000, 5_000))
        card = actor.person.card
        actor.attach(at_ms, card)
        for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 5))):
            at_ms += rng.randrange(20_000, 6 * 60_000)
            actor.decline(at_ms, rng.choice(_CODES), cents, card)
        if rng.random() < 0.5:
            card = people.token(16)
            at_ms += 60_000
            actor.attach(at_ms, card)
        at_ms += rng.randrange(30_000, 10 * 60_000)
        actor.pay(at_ms, cents, card)
        tool = scene.networks.as_tool(actor.home)
        for _ in range(rng.randrange(2, 5)):
            at_ms += rng.randrange(60_000, 12 * HOUR_MS)
            for at in scene.session(at_ms, rng.randrange(5, 20)):
                actor.ask(at, rng.choice(scene.shop.middle + scene.shop.cheap), connection=tool)
                at_ms = at
