"""Bring what a service refuses back to the field it is about."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError


def accepted(form: forms.Form, change: Callable[[], object]) -> bool:
    """Run `change`; when the service refuses, put its sentences at the form's fields and return False.

    A sentence about something that the form does not have stands above the form.
    """
    try:
        change()
    except ValidationError as error:
        take(form, error)
        return False
    return True


def take(form: forms.Form, error: ValidationError) -> None:
    """Add the sentences of `error` to `form`."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for field, messages in error.message_dict.items():
        known = field if field in form.fields and field != NON_FIELD_ERRORS else None
        for message in messages:
            form.add_error(known, message)


def first(error: ValidationError) -> str:
    """Return the first sentence of `error`, for a toast."""
    return str(error.messages[0])
