"""Django's settings. Only bootstrap facts come from the environment (see `mailadmin.env`); the rest are rows."""

from __future__ import annotations

import importlib.util
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from mailadmin import database, env
from mailadmin.keyfile import secret_key

BASE_DIR = env.CHECKOUT
HOME = env.home()

_daemon = importlib.util.find_spec("smtpd")
if (
    _daemon is None
    or not _daemon.submodule_search_locations
    or str(BASE_DIR / "smtpd") not in [*_daemon.submodule_search_locations]
):
    raise ImproperlyConfigured(
        "The name 'smtpd' leads to another module than mailadmin's daemon. "
        f"Start through manage.py or gunicorn in {BASE_DIR}, so that this folder comes first on Python's path."
    )

try:
    SECRET_KEY = secret_key(HOME)
except OSError as error:
    raise ImproperlyConfigured(
        f"The state folder {HOME} cannot be used ({error.strerror}: {error.filename}). "
        "Make it writable for this user, or name another one in MAILADMIN_HOME."
    ) from error
DEBUG = False
# The local network reaches the panel by whatever name the machine has there, and no link is built from the Host header.
ALLOWED_HOSTS = ["*"]

INSTALLED_APPS = [
    "mailadmin.accounts",
    "mailadmin.sasl",
    "mailadmin.certificates",
    "mailadmin.listeners",
    "mailadmin.routing",
    "mailadmin.queue",
    "mailadmin.bodies",
    "mailadmin.activity",
    "mailadmin.generation",
    "mailadmin.server",
    "mailadmin.policy",
    "mailadmin.panel",
    "smtpd",
    "csp",
    "django_htmx",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
]
FORM_RENDERER = "mailadmin.panel.renderer.PanelRenderer"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mailadmin.panel.middleware.SignInRequired",
    "mailadmin.panel.middleware.BrowserTimeZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "mailadmin.urls"
WSGI_APPLICATION = "mailadmin.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mailadmin.panel.context.shell",
            ],
        },
    },
]

_url = env.database_url()
DATABASES: dict[str, dict[str, Any]]
if _url is None:
    _synchronous = env.sqlite_synchronous()
    DATABASES = {
        "default": database.sqlite(HOME / "mailadmin.sqlite3", synchronous=_synchronous, page_size=8192),
        "bodies": database.sqlite(HOME / "bodies.sqlite3", synchronous=_synchronous, page_size=16384),
    }
else:
    DATABASES = {"default": {**env.postgresql_settings(_url), "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}}
DATABASE_ROUTERS = ["mailadmin.database.BodiesRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.Account"
AUTHENTICATION_BACKENDS = ["mailadmin.accounts.backend.AddressBackend"]
PASSWORD_HASHERS = ["mailadmin.accounts.hasher.CostedBCryptSHA256PasswordHasher"]
BCRYPT_ROUNDS = 12  # base-2 logarithm of the rounds; a quarter of a second on a small machine
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["address"]},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "panel:login"
LOGIN_REDIRECT_URL = "panel:overview"
LOGOUT_REDIRECT_URL = "panel:login"

USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ja", _("Japanese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
# Finders walk the folders once and are cheap; re-reading them at each request is for development servers.
WHITENOISE_AUTOREFRESH = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "report-uri": ["/csp-report/"],
    },
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# The panel answers http on loopback and https elsewhere, so Secure cannot be set for both.
SESSION_COOKIE_NAME = "mailadmin_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = "mailadmin_csrf"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "mailadmin.panel.failures.forged"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"smtpd": {"level": "INFO"}, "mailadmin": {"level": "INFO"}},
}
