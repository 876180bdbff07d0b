"""What Django loads."""

from django.apps import AppConfig
from django.core.signals import setting_changed


class AbuseClientConfig(AppConfig):  # type: ignore[misc]
    """Reports sign-ins and sign-ups from where Django and allauth announce them."""

    name = "abuse_client.integrations.django"
    label = "abuse_client"
    verbose_name = "Abuse client"

    def ready(self) -> None:
        """Read the settings once, so that a mistake in them is told at the start; then listen."""
        from abuse_client.integrations.django import configuration, signals

        configuration.abuse()
        signals.connect()
        setting_changed.connect(configuration.forget, dispatch_uid="abuse_client.settings")
