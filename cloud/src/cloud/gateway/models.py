"""What the gateway served."""

from datetime import datetime

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
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cost_microdollars: Mapped[int]
    charged_microdollars: Mapped[int]
    served_at: Mapped[datetime]
