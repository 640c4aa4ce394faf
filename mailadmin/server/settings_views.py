"""Settings of the server as a whole: its name, its limits, how long it tries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from mailadmin.panel import flash
from mailadmin.panel.form_errors import accepted
from mailadmin.panel.requests import PanelRequest
from mailadmin.server import services
from mailadmin.server.models import Server

MEGABYTE: Final = 1_000_000  # octets; providers state their limits in these
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)


class ServerForm(forms.Form):
    """What the services call by other units is asked for in those people use: MB, hours, days."""

    hostname = forms.CharField(
        label=gettext_lazy("Server name"),
        max_length=255,
        help_text=gettext_lazy("The name under which mail programs and other servers reach this machine."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    message_size_limit = forms.DecimalField(
        label=gettext_lazy("Largest message (MB)"), min_value=0, max_digits=9, decimal_places=3
    )
    recipient_limit = forms.IntegerField(label=gettext_lazy("Recipients of one message, at most"))
    history_days = forms.IntegerField(
        label=gettext_lazy("Keep the history for (days)"),
        help_text=gettext_lazy("Who signed in, what was sent and what became of it. Bodies of mail go with delivery."),
    )
    delay_notice_after = forms.DecimalField(
        label=gettext_lazy("Tell the sender that mail is late after (hours)"),
        max_digits=7,
        decimal_places=2,
    )
    give_up_after = forms.DecimalField(
        label=gettext_lazy("Give up and return mail after (days)"),
        max_digits=6,
        decimal_places=2,
    )
    allow_private_destinations = forms.BooleanField(
        label=gettext_lazy("Deliver to servers in private networks too"),
        required=False,
        help_text=gettext_lazy(
            "For direct delivery. Leave it off unless such a server is yours: a stranger's domain could point there."
        ),
    )
    mx_port = forms.IntegerField(
        label=gettext_lazy("Port for direct delivery"),
        help_text=gettext_lazy("25 for the whole Internet; another one only for tests."),
    )

    @classmethod
    def of(cls, server: Server) -> ServerForm:
        """Return the form as `server` is now."""
        same = ("hostname", "recipient_limit", "history_days", "allow_private_destinations", "mx_port")
        initial = {field: getattr(server, field) for field in same}
        initial["message_size_limit"] = _short(server.message_size_limit / MEGABYTE)
        initial["delay_notice_after"] = _short(server.delay_notice_after / HOUR)
        initial["give_up_after"] = _short(server.give_up_after / DAY)
        return cls(initial=initial)

    def changes(self) -> dict[str, Any]:
        """Return what was typed in the units of `services.update`."""
        changes = dict(self.cleaned_data)
        changes["message_size_limit"] = int(changes["message_size_limit"] * MEGABYTE)
        changes["delay_notice_after"] = float(changes["delay_notice_after"]) * HOUR
        changes["give_up_after"] = float(changes["give_up_after"]) * DAY
        return changes


def _short(number: float) -> str:
    """Return a number without the zeros behind the point."""
    return f"{number:.3f}".rstrip("0").rstrip(".")


@require_http_methods(["GET", "HEAD", "POST"])
def server_settings(request: PanelRequest) -> HttpResponse:
    """Show the settings and save them."""
    if request.method != "POST":
        return render(request, "settings/server.html", {"form": ServerForm.of(services.get())})
    form = ServerForm(request.POST)
    actor = request.user.address
    if form.is_valid() and accepted(form, lambda: services.update(actor=actor, now=timezone.now(), **form.changes())):
        flash.done(request, _("The settings are saved."), policy=True)
        return redirect("settings:server")
    return render(request, "settings/server.html", {"form": form}, status=422)
