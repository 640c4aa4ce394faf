"""Imports everything that a child will ever need, before the fork and before rights are given up.

A fork shares what is imported, so a worker starts in milliseconds and takes little memory. And an interpreter that lies
in a folder closed to the unprivileged user (``/root``) can import nothing more later: codecs, rdata types of the
resolver, the drivers of the databases and the catalogs of the translations are all loaded here.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Final

import structlog
from django.conf import settings
from django.utils import translation

log = structlog.get_logger("smtpd")

# Packages whose modules are imported by name at run time.
WHOLE: Final = ("dns.rdtypes", "smtpd", "mailadmin", "encodings")
MODULES: Final = (
    "asyncio.staggered",
    "bcrypt",
    "concurrent.futures.thread",
    "cryptography.fernet",
    "cryptography.x509",
    "dns.asyncresolver",
    "email.headerregistry",
    "idna",
    "sqlite3",
    "stringprep",
    "traceback",
    "unicodedata",
    "uvloop",
    "zoneinfo",
)
# They start a server, need a terminal, or belong to the panel or to other systems.
LEFT_OUT: Final = ("encodings.mbcs", "encodings.oem", "encodings.cp65001")
LEFT_OUT_PARTS: Final = (".migrations.", ".management.", ".panel.", ".templatetags.", ".wsgi.")
LEFT_OUT_ENDS: Final = ("views", "urls", "forms")


def everything() -> None:
    """Import all of it, and load the catalogs of every language."""
    for name in MODULES:
        importlib.import_module(name)
    for package in WHOLE:
        for name in _modules_of(package):
            _load(name)
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        importlib.import_module("psycopg")
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            translation.gettext("English")


def _load(name: str) -> None:
    """Import a module that may never be needed: a broken one is told, and stops only what uses it."""
    try:
        importlib.import_module(name)
    except Exception:
        log.exception("a module cannot be imported", module=name)


def _modules_of(package: str) -> list[str]:
    """Return the names of all modules in `package` that belong to the daemon."""
    root = importlib.import_module(package)
    found = pkgutil.walk_packages(root.__path__, f"{package}.")
    return [
        module.name
        for module in found
        if module.name not in LEFT_OUT
        and not module.name.endswith(LEFT_OUT_ENDS)
        and not any(part in f"{module.name}." for part in LEFT_OUT_PARTS)
    ]
