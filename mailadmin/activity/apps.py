"""The feature as a Django app."""

from django.apps import AppConfig


class Config(AppConfig):
    """Gives the app its label."""

    name = "mailadmin.activity"
    label = "activity"
