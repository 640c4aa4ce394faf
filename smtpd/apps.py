"""The daemon as a Django app, for its management command."""

from django.apps import AppConfig


class Config(AppConfig):
    """Gives the app its label."""

    name = "smtpd"
    label = "smtpd"
