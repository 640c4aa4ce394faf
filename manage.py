#!/usr/bin/env python3
"""Django's entry point: the one way to start panel, daemon and commands."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailadmin.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # its text says what to do; the way there would hide it
        sys.exit(f"manage.py: {error}")
