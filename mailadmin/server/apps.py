"""The feature as a Django app."""

from django.apps import AppConfig


class Config(AppConfig):
    """Gives the app its label, and the project its system checks."""

    name = "mailadmin.server"
    label = "server"

    def ready(self) -> None:
        """Register the checks once all models are there."""
        from mailadmin import checks

        checks.register()
