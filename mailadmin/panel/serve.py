"""gunicorn's settings for the panel: ``gunicorn -c python:mailadmin.panel.serve`` in the checkout.

``MAILADMIN_PANEL_BIND`` says where: addresses or passed descriptors (``fd://3``), separated by commas.
``MAILADMIN_PANEL_TLS=1`` serves https with the certificate in the database, renewed live; no file holds its key.
``MAILADMIN_PANEL_USER`` is who the process that serves becomes when root starts it.
"""

from __future__ import annotations

import logging
import os
import pwd
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

_tls = os.environ.get("MAILADMIN_PANEL_TLS") == "1"
_user = os.environ.get("MAILADMIN_PANEL_USER")

wsgi_app = "mailadmin.wsgi:application"
bind = [place for place in os.environ.get("MAILADMIN_PANEL_BIND", "127.0.0.1:8080").split(",") if place]
worker_class = "mailadmin.panel.serving.PanelWorker"
# One process for all: pages are few, and each live page holds a thread.
workers = 1
threads = 32
worker_connections = 512
preload_app = True
proc_name = "mailadmin-panel"
umask = 0o077
timeout = 60
graceful_timeout = 3
keepalive = 20
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
# Nobody stands before the panel unless an administrator puts a proxy there, and says so in gunicorn's own variable.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "")
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # a heartbeat file, unlinked at once
if _user:
    user = _user
    group = pwd.getpwnam(_user).pw_gid
if _tls:
    # gunicorn speaks TLS when this is set; the file is never read, because `ssl_context` below makes the context.
    certfile = __file__


def ssl_context(_config: Any, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Return the context of the certificate in use (gunicorn asks at each connection)."""
    from mailadmin.panel import tls

    return tls.current()


def post_fork(_server: Any, _worker: Any) -> None:
    """Leave root's groups, and keep what one slow or broken client does out of the log."""
    from mailadmin.panel.serving import without_slow_clients

    if _user:
        # gunicorn changes the user afterwards; left to itself it keeps either root's group or root's further groups.
        os.setgroups(os.getgrouplist(_user, group))
        os.setgid(group)
    logging.getLogger("gunicorn.error").addFilter(without_slow_clients)
