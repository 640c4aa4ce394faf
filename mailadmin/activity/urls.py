"""Addresses of the activity pages: /activity/ and /sign-ins/."""

from __future__ import annotations

from django.urls import path

from mailadmin.activity import sign_in_views, views

app_name = "activity"
urlpatterns = [
    path("activity/", views.index, name="list"),
    path("sign-ins/", sign_in_views.sign_ins, name="sign_ins"),
]
