"""Django: put ``abuse_client.integrations.django`` into ``INSTALLED_APPS`` and the rest into ``ABUSE_CLIENT``.

From then on each sign-in is reported, and each sign-up if django-allauth is installed; `report_after_commit` reports a
business event, `guarded` lets only judged LLM requests into a view, and `facts` says where a request comes from.
"""

from abuse_client.integrations.django.configuration import DjangoAbuse, abuse
from abuse_client.integrations.django.transactions import report_after_commit
from abuse_client.integrations.django.views import facts, guarded, report_sign_in, report_sign_up

__all__ = ["DjangoAbuse", "abuse", "facts", "guarded", "report_after_commit", "report_sign_in", "report_sign_up"]
