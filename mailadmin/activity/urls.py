"""Addresses of the activity pages: /activity/ and /sign-ins/."""

from __future__ import annotations

from django.urls import path

from mailadmin.activity import views

app_name = "activity"
urlpatterns = [
    path("activity/", views.index, name="list"),
]
