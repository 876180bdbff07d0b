"""The open outbox of a laptop, where no mail is carried: mounted only when the operator says so."""

from fastapi import APIRouter
from pydantic import BaseModel

from cloud.context import Context
from cloud.errors import NotFound
from cloud.mail.service import newest_letter

router = APIRouter(tags=["mail"])


class LetterAnswer(BaseModel):
    subject: str
    text: str
    link: str | None


@router.get("/outbox")
def read_outbox(cloud: Context, recipient: str) -> LetterAnswer:
    """Show the newest letter to the recipient."""
    with cloud.database.reading() as session:
        letter = newest_letter(session, recipient)
        if letter is None:
            raise NotFound("found no letter to this recipient")
        return LetterAnswer(subject=letter.subject, text=letter.text, link=letter.link)
