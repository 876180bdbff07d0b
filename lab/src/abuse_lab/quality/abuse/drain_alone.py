"""One account that uses the free tier far beyond what it is meant for.

Stands for a person with one account who feeds a whole project, or resells, until somebody stops him: middle and dear
models wherever the cloud lets him, several times what a newcomer is given, within a day or two, at a human pace.
"""

from abuse_lab.quality.scene import HOUR_MS, Abuser, Scene

ABUSER = Abuser(turnstile=0.9, payment=0.15)


def stage(scene: Scene) -> None:
    """Six to fourteen drainers."""
    rng = scene.rng
    for _ in range(scene.number(6, 14)):
        actor = scene.actor()
        actor.sign_up(scene.moment(0, 3))
        wanted = scene.cloud.grant_microdollars + int(rng.lognormvariate(2.0, 0.6) * 1_000_000)
        models = rng.choice((scene.shop.middle, scene.shop.dear, scene.shop.middle + scene.shop.cheap))
        tool = scene.networks.as_tool(actor.home)
        at_ms = actor.created_at_ms + rng.randrange(HOUR_MS)
        for _ in range(rng.randrange(150, 400)):
            model = rng.choice(models)
            tokens = (int(rng.lognormvariate(9.6, 0.5)), int(rng.lognormvariate(6.8, 0.5)))
            wanted -= model.usage(*tokens, 1.0).cost_microdollars
            actor.ask(at_ms, model, tokens=tokens, connection=tool)
            at_ms += int(rng.uniform(8, 60) * 1000)
            if wanted < 0:
                break
