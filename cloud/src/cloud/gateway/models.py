"""What the gateway served and refused."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from cloud.database import Base


class Generation(Base):
    """One answer of a provider: who asked, what it cost, and the classification that it belongs to."""

    __tablename__ = "generations"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(index=True)
    user_id: Mapped[str] = mapped_column(index=True)
    """No foreign key: an anonymous caller is `anon:` and an address."""
    organization_id: Mapped[str | None]
    request_id: Mapped[int | None]
    model: Mapped[str]
    """The one that answered."""
    requested_model: Mapped[str | None]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cost_microdollars: Mapped[int]
    charged_microdollars: Mapped[int]
    served_at: Mapped[datetime]
    verdict: Mapped[str | None]
    """What the abuse service said, if it did; what came of it is the model that answered."""


class RefusedRequest(Base):
    """One request of a user that no provider saw."""

    __tablename__ = "refused_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    requested_model: Mapped[str]
    status: Mapped[int]
    code: Mapped[str]
    request_id: Mapped[int | None]
    verdict: Mapped[str | None]
    refused_at: Mapped[datetime]
