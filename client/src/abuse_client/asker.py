"""Puts questions to the service, and does not while it keeps failing."""

import asyncio

from abuse_client.circuit import Circuit, Ticket
from abuse_client.drafts import CLASSIFY_PATH, Question
from abuse_client.prompts import with_digests
from abuse_client.retry import tell_circuit
from abuse_client.service import TIME_OUT, Answer, NoAnswer, Service

ENOUGH_OF_DEADLINE = 0.9
"""Of the time given: whoever waited that long learned that the service is slow, even if he hangs up first."""

SHARE_FOR_DIGESTS = 0.5
"""Of the time given, for reading long prompts to their end; if that does not suffice the question leaves without."""


async def ask(service: Service, circuit: Circuit, ticket: Ticket, question: Question, within_s: float) -> Answer:
    """The answer to a question. Raises `NoAnswer`. The circuit is told what came of it."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    outcome: Answer | NoAnswer
    try:
        async with asyncio.timeout(within_s * SHARE_FOR_DIGESTS):
            body = await with_digests(question.body, question.cuts)
    except TimeoutError:  # nobody switches his classification off by a prompt without end
        body = question.body
    except BaseException:
        circuit.gave_up(ticket)
        raise
    left_s = within_s - (loop.time() - begun)
    if left_s <= 0:  # which is not the service's doing
        circuit.gave_up(ticket)
        raise NoAnswer(TIME_OUT, "the time was over before it could be sent", may_retry=True)
    try:
        outcome = await service.post(CLASSIFY_PATH, body, left_s)
    except NoAnswer as error:
        outcome = error
    except asyncio.CancelledError:
        if loop.time() - begun >= within_s * ENOUGH_OF_DEADLINE:
            tell_circuit(circuit, ticket, NoAnswer(TIME_OUT, may_retry=True))
        else:
            circuit.gave_up(ticket)
        raise
    except BaseException:
        circuit.gave_up(ticket)
        raise
    tell_circuit(circuit, ticket, outcome)
    if isinstance(outcome, NoAnswer):
        raise outcome
    return outcome
