"""Addresses of the mail pages, under /mail/."""

from __future__ import annotations

from django.urls import path, re_path

from mailadmin.queue import views

app_name = "mail"
urlpatterns = [
    path("", views.index, name="list"),
    path("pause/", views.pause, name="pause"),
    path("resume/", views.resume, name="resume"),
    path("retry/", views.retry_shown, name="retry"),
    path("<str:number>/", views.message, name="message"),
    path("<str:number>/progress/", views.progress, name="progress"),
    re_path(r"^(?P<number>[0-9a-z]+)/(?P<verb>retry|hold|release|cancel|return)/$", views.act, name="act"),
]
