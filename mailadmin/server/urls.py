"""Addresses of the first run, under /setup/."""

from __future__ import annotations

from django.urls import path

from mailadmin.server import views

app_name = "setup"
urlpatterns = [
    path("1/", views.administrator, name="administrator"),
    path("2/", views.server, name="server"),
    path("3/", views.account, name="account"),
    path("<str:token>/", views.enter, name="enter"),
]
