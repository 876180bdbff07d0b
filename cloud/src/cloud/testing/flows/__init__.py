"""Every call site of the cloud, as a flow that comes to it over HTTP; what a test shows of one, it shows of all."""

from cloud.testing.flows import accounts, administration, billing, organizations, stripe
from cloud.testing.flows.flow import Flow, Ready, Site

__all__ = ["FLOWS", "GROUPS", "Flow", "Ready", "Site"]

GROUPS: dict[str, list[Flow]] = {
    "accounts": accounts.FLOWS.every,
    "administration": administration.FLOWS.every,
    "organizations": organizations.FLOWS.every,
    "billing": billing.FLOWS.every,
    "stripe": stripe.FLOWS.every,
}
FLOWS: list[Flow] = [flow for group in GROUPS.values() for flow in group]
