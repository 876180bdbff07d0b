"""Every table of the cloud, gathered for migrations."""

from cloud.accounts.models import (
    CheckedDevice,
    CohortMember,
    EmailLink,
    LinkedProvider,
    SignInAttempt,
    User,
    UserSession,
)
from cloud.administration.models import AuditEntry, BlacklistedDomain
from cloud.billing.models import (
    AutoTopUp,
    Balance,
    KiloPass,
    Posting,
    PromoCode,
    Redemption,
    SeatSubscription,
    StripeOwner,
)
from cloud.database import Base
from cloud.gateway.models import Generation, RefusedRequest
from cloud.history.models import BackfillCursor, Happening
from cloud.mail.models import OutgoingLetter
from cloud.organizations.models import Invitation, Member, Organization, SsoDomain
from cloud.stripe_webhooks.models import StripeEvent

METADATA = Base.metadata

TABLES = (
    User,
    LinkedProvider,
    CohortMember,
    CheckedDevice,
    EmailLink,
    SignInAttempt,
    UserSession,
    OutgoingLetter,
    AuditEntry,
    BlacklistedDomain,
    Organization,
    Member,
    Invitation,
    SsoDomain,
    Posting,
    Balance,
    KiloPass,
    SeatSubscription,
    AutoTopUp,
    PromoCode,
    Redemption,
    StripeOwner,
    StripeEvent,
    Generation,
    RefusedRequest,
    Happening,
    BackfillCursor,
)
