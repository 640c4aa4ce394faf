"""The panel's addresses: each feature brings its own, under a namespace of its name."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("mailadmin.panel.urls")),
    path("setup/", include("mailadmin.server.urls")),
    path("accounts/", include("mailadmin.accounts.urls")),
    path("", include("mailadmin.activity.urls")),
    path("mail/", include("mailadmin.queue.urls")),
    path("settings/", include("mailadmin.panel.settings_urls")),
]

handler404 = "mailadmin.panel.failures.not_found"
handler500 = "mailadmin.panel.failures.fault"
