"""Addresses at the panel's root."""

from __future__ import annotations

from django.urls import path

from mailadmin.panel import live_views, overview, sign_in, views

app_name = "panel"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live/", live_views.stream, name="live"),
    path("live/rows/", live_views.rows, name="live_rows"),
    path("healthz", overview.healthz, name="healthz"),
    path("login/", sign_in.log_in, name="login"),
    path("logout/", sign_in.log_out, name="logout"),
    path("language/", views.language, name="language"),
    path("theme/", views.theme, name="theme"),
    path("shortcuts/", views.shortcuts, name="shortcuts"),
    path("in-force/", views.in_force, name="in_force"),
    path("csp-report/", views.csp_report, name="csp_report"),
]
