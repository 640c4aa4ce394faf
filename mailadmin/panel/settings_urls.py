"""Addresses of the settings."""

from __future__ import annotations

from django.urls import path, re_path

from mailadmin.certificates import views as certificates
from mailadmin.listeners import views as listeners
from mailadmin.routing import delivery_views, trial_views
from mailadmin.routing import views as routing
from mailadmin.server import settings_views as server

app_name = "settings"
urlpatterns = [
    path("", server.server_settings, name="server"),
    path("domains/", routing.domains, name="domains"),
    path("domains/<str:name>/", routing.domain, name="domain"),
    path("domains/<str:name>/remove/", routing.remove_domain, name="domain_remove"),
    path("domains/<str:name>/restore/", routing.restore_domain, name="domain_restore"),
    path("listeners/", listeners.listeners, name="listeners"),
    path("listeners/add/", listeners.add, name="listener_add"),
    path("listeners/<slug:name>/", listeners.listener, name="listener"),
    re_path(r"^listeners/(?P<name>[-\w]+)/(?P<to>on|off)/$", listeners.switch, name="listener_switch"),
    path("listeners/<slug:name>/remove/", listeners.remove, name="listener_remove"),
    path("delivery/", delivery_views.delivery, name="delivery"),
    path("delivery/add/", delivery_views.add_route, name="route_add"),
    path("delivery/test/", trial_views.ask, name="trial_ask"),
    path("delivery/test/<int:number>/", trial_views.trial, name="trial"),
    path("delivery/route/<str:pattern>/", delivery_views.route, name="route"),
    path("delivery/route/<str:pattern>/remove/", delivery_views.remove_route, name="route_remove"),
    path("certificate/", certificates.certificate, name="certificate"),
    path("certificate/rotate/", certificates.rotate, name="certificate_rotate"),
]
