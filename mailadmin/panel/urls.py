"""Addresses at the panel's root."""

from __future__ import annotations

from django.urls import path

from mailadmin.panel import sign_in, views

app_name = "panel"
urlpatterns = [
    path("login/", sign_in.log_in, name="login"),
    path("logout/", sign_in.log_out, name="logout"),
    path("language/", views.language, name="language"),
    path("theme/", views.theme, name="theme"),
    path("shortcuts/", views.shortcuts, name="shortcuts"),
    path("in-force/", views.in_force, name="in_force"),
    path("csp-report/", views.csp_report, name="csp_report"),
]
