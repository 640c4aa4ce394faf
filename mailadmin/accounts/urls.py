"""Addresses of the account pages, under /accounts/."""

from __future__ import annotations

from django.urls import path

from mailadmin.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.index, name="list"),
    path("add/", views.add, name="add"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/first-sign-in/", views.first_sign_in, name="first_sign_in"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/suspend/", views.suspend, name="suspend"),
    path("<int:pk>/resume/", views.resume, name="resume"),
    path("<int:pk>/password/", views.password, name="password"),
    path("<int:pk>/remove/", views.remove, name="remove"),
]
