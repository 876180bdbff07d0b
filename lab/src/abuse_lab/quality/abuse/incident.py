"""The incident of 280 accounts behind 4 addresses, each under every limit for one user.

One actor sent 1.7 million requests that way. Here the accounts are as many, and the requests cut to a few each, spread
over the days, which makes it harder: nothing but the company an account keeps tells it apart. Some actors make their
accounts by machine on the way; others buy aged ones, with ordinary mailboxes, made at many homes weeks before.
"""

from abuse_lab.quality.scene import DAY_MS, HOUR_MS, Abuser, Habits, Scene

ABUSER = Abuser(turnstile=0.3, payment=0.03)


def stage(scene: Scene) -> None:
    """The incident, with 200 to 320 accounts behind 3 to 6 addresses."""
    rng, networks, people = scene.rng, scene.networks, scene.people
    is_rented = rng.random() < 0.6
    gates = [
        networks.hosting(is_listed=rng.random() < 0.6) if is_rented else networks.as_script(networks.office())
        for _ in range(rng.randrange(3, 7))
    ]
    is_bought = rng.random() < 0.4
    system = rng.choice((None, "You are a helpful assistant."))
    start_ms = scene.moment(0, 1)
    hours = rng.uniform(10, 60)
    for number in range(scene.number(200, 320)):
        home = gates[number % len(gates)]
        actor = scene.actor(people.person(None if is_bought else people.machine_mail(), ("email",)), home)
        actor.habits = Habits(system_prompt=system, has_tools=False, is_streamed=rng.random() < 0.5, max_tokens=4096)
        begins_ms = start_ms + int(rng.uniform(0, hours) * HOUR_MS)
        if is_bought:
            actor.sign_up(begins_ms - rng.randrange(10, 90) * DAY_MS, networks.home())
        else:
            actor.sign_up(begins_ms, networks.as_browser(home))
        scene.use_up(
            actor,
            begins_ms + rng.randrange(60_000, 10 * HOUR_MS),
            rng.randrange(5, 14),
            scene.shop.cheap + scene.shop.middle,
            seconds=(20, 900),
            tokens=(rng.randrange(1_000, 8_000), rng.randrange(300, 1_500)),
        )
