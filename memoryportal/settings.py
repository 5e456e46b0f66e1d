"""Settings, read from the environment once. README.md, "Configuration", lists every variable."""

import os
import re
import sys
from pathlib import Path

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from memoryportal.accounts.configuration import read_host_link, read_oidc, social_providers
from memoryportal.base.databases import app_database, read_addresses

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- what kind of start this is ---------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("MEMORYPORTAL_DEMO", default=False)  # set by `manage.py demo` for the processes that it starts
TESTING = env.bool("MEMORYPORTAL_TESTING", default=False)  # set by tests/conftest.py
PRODUCTION = not (DEBUG or DEMO or TESTING)
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "data"))).expanduser().resolve()


def required(name: str, why: str) -> str:
    """The value of an environment variable that production cannot do without."""
    value = str(env.str(name, default=""))
    # `manage.py check`, collectstatic and the like still run: a system check reports what is missing (base/checks.py).
    if not value and PRODUCTION and "memoryportal.wsgi" in sys.modules:
        raise ImproperlyConfigured(f"{name} is not set: {why} (see README.md, Configuration).")
    return value


SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if PRODUCTION:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Give it at least 50 random characters "
            "(python3 -c 'import secrets; print(secrets.token_urlsafe(50))'), or set DEBUG=true on your own machine."
        )
    SECRET_KEY = "only-for-debug-and-tests-" + "0123456789abcdef" * 3

SECRET_KEY_FALLBACKS = env.list(
    "SECRET_KEY_FALLBACKS", default=[]
)  # former keys: sessions and second factors stay readable

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"] if not PRODUCTION else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

# --- who is responsible, on every page and in every mail -------------------------------------------------------
CONTROLLER_NAME = required("CONTROLLER_NAME", "people must be told who is responsible for their data")
PRIVACY_CONTACT = required("PRIVACY_CONTACT", "people must be told whom to write to")
COMPLAINT_URL = required("COMPLAINT_URL", "people must be told where to complain")
if not PRODUCTION:
    CONTROLLER_NAME = CONTROLLER_NAME or "Example Ltd (demo)"
    PRIVACY_CONTACT = PRIVACY_CONTACT or "privacy@example.com"
    COMPLAINT_URL = COMPLAINT_URL or "https://www.edpb.europa.eu/about-edpb/about-edpb/members_en"

# --- applications --------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "memoryportal.base",
    "memoryportal.memory",
    "memoryportal.audit",
    "memoryportal.accounts",
    "memoryportal.erasure",
    "memoryportal.mydata",
    "memoryportal.support",
    "memoryportal.agent",
    "django.contrib.admin.apps.SimpleAdminConfig",  # shows what accounts/administration says, and nothing else
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "django.forms",  # TemplatesSetting finds Django's own widgets there, behind our templates/django/forms
    "procrastinate.contrib.django",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "memoryportal.base.middleware.SafeResponseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "memoryportal.accounts.middleware.MemoryMiddleware",
]

ROOT_URLCONF = "memoryportal.urls"
WSGI_APPLICATION = "memoryportal.wsgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "memoryportal.base.context.site",
            ],
        },
    },
]

# --- databases
# ---------------------------------------------------------------------------------------------------------
ADDRESSES = read_addresses(env, DATA_DIR)
DATABASES = {"default": app_database(ADDRESSES, sys.argv)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- mem0: read by memoryportal/memory/configuration.py ---------------------------------------------------
MEM0_CONFIG = env.str("MEM0_CONFIG", default="")
MEM0_API_KEY = env.str("MEM0_API_KEY", default="")
MEM0_HOST = env.str("MEM0_HOST", default="")
MEMORY_DATABASE_URL = env.str("MEMORY_DATABASE_URL", default="")
MEMORY_OWNER_URL = env.str("MEMORY_OWNER_URL", default="")
SEARCH_FLOOR = env.float("SEARCH_FLOOR", default=None)  # None: the embedder's own measured default
LLM_TIMEOUT_SECONDS = env.float("LLM_TIMEOUT_SECONDS", default=25)  # for one answer; the assistant asks twice a turn
USE_LOG_DAYS = env.int("USE_LOG_DAYS", default=90)  # how long it stays on record which assistant was handed what
MEM0_HISTORY_PATHS = env.list("MEM0_HISTORY_PATHS", default=[])  # SQLite files that plain mem0 writes on this machine

# --- signatures and the trail ---------------------------------------------------------------------------------------
KEY_DIR = Path(env.str("KEY_DIR", default=str(DATA_DIR / "keys")))
AUDIT_HEADS = env.str("AUDIT_HEADS", default=str(DATA_DIR / "audit-heads.jsonl"))  # a file, or "| command"
ERASURE_LEDGER = env.str("ERASURE_LEDGER", default=str(DATA_DIR / "erasure-ledger.jsonl"))
AUDIT_RETENTION_MONTHS = env.int("AUDIT_RETENTION_MONTHS", default=24)

# --- deletion requests ------------------------------------------------------------------------------------------------
DATA_LAW = env.str("DATA_LAW", default="gdpr")  # both: the earlier date wins
if DATA_LAW not in ("gdpr", "ccpa", "both"):
    raise ImproperlyConfigured("DATA_LAW is gdpr, ccpa or both.")
ERASURE_GRACE_HOURS_OWN = env.int("ERASURE_GRACE_HOURS_OWN", default=0)
ERASURE_GRACE_HOURS = env.int("ERASURE_GRACE_HOURS", default=72)  # for requests that did not come from a session
REQUESTS_PER_NETWORK = env.int("REQUESTS_PER_NETWORK", default=10)  # in one hour, by the public form
REQUESTS_PER_HOUR = env.int("REQUESTS_PER_HOUR", default=500)  # by the public form, from everywhere
REQUEST_RETENTION_MONTHS = env.int("REQUEST_RETENTION_MONTHS", default=24)
OUTSIDE_PLACES = env.list("OUTSIDE_PLACES", default=[])  # named on every request; the staff report them as emptied
# Where people reach the portal: links in mails are written by the worker, which serves nobody.
_HERE = f"http://127.0.0.1:{env.str('PORT', default='8000')}"
_THERE = f"https://{ALLOWED_HOSTS[0]}" if ALLOWED_HOSTS else _HERE
PORTAL_URL = env.str("PORTAL_URL", default=_THERE if PRODUCTION else _HERE)

# --- a person's own pages ---------------------------------------------------------------------------------------------
SEARCHES_PER_MINUTE = env.int("SEARCHES_PER_MINUTE", default=120)  # of one person; the field searches while they type
EXPORTS_PER_HOUR = env.int("EXPORTS_PER_HOUR", default=30)  # files of one person

# --- the staff's pages ------------------------------------------------------------------------------------------------
FINDS_PER_HOUR = env.int("FINDS_PER_HOUR", default=30)  # look-ups of people, for each member of the staff
STAFF_SESSION_IDLE_SECONDS = env.int("STAFF_SESSION_IDLE_SECONDS", default=30 * 60)
STAFF_SESSION_ABSOLUTE_SECONDS = env.int("STAFF_SESSION_ABSOLUTE_SECONDS", default=8 * 3600)

# --- the gateway for assistants ---------------------------------------------------------------------------------------
GATEWAY_KEY_PER_MINUTE = env.int("GATEWAY_KEY_PER_MINUTE", default=6000)  # requests with one service key, all people
GATEWAY_SUBJECT_PER_MINUTE = env.int("GATEWAY_SUBJECT_PER_MINUTE", default=300)  # requests with it for one person

# --- the assistant of the portal itself ------------------------------------------------------------------------------
ASSISTANT_NAME = env.str("ASSISTANT_NAME", default="portal_assistant")  # under which its memories are kept
ASSISTANT_PER_MINUTE = env.int("ASSISTANT_PER_MINUTE", default=20)  # messages of one person
if not re.fullmatch(r"[\w.@-]{1,128}", ASSISTANT_NAME, re.ASCII):
    raise ImproperlyConfigured("ASSISTANT_NAME is 1 to 128 letters, digits, dots, dashes, underscores and @.")

# --- sign-in
# ------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["memoryportal.accounts.backends.AccountBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "mydata:list"
ACCOUNT_LOGOUT_REDIRECT_URL = "start"
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", default=True)
ACCOUNT_ADAPTER = "memoryportal.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "memoryportal.accounts.signin_forms.Login",
    "signup": "memoryportal.accounts.signin_forms.Signup",
    "add_email": "memoryportal.accounts.signin_forms.AddEmail",
    "change_password": "memoryportal.accounts.signin_forms.ChangePassword",
    "set_password": "memoryportal.accounts.signin_forms.SetPassword",
    "reset_password": "memoryportal.accounts.signin_forms.ResetPassword",
    "reset_password_from_key": "memoryportal.accounts.signin_forms.ResetPasswordKey",
    "reauthenticate": "memoryportal.accounts.signin_forms.Reauthenticate",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGIN_TIMEOUT = 3600  # a mail may take a while, and its link works where somebody has begun to sign in
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # all others end with the old password
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[MemoryPortal] "
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PRODUCTION else "http"
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
# An address proves nothing here: whoever the provider lets in under somebody else's must not get their account.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_ADAPTER = "memoryportal.accounts.oidc.adapter.SocialAdapter"
SOCIALACCOUNT_FORMS = {"signup": "memoryportal.accounts.signin_forms.SocialSignup"}
OIDC = read_oidc(env, PRODUCTION)
SOCIALACCOUNT_PROVIDERS = social_providers(OIDC)
HOST_LINK = read_host_link(env)
MFA_ADAPTER = "memoryportal.accounts.mfa_adapter.MFAAdapter"
MFA_FORMS = {
    "authenticate": "memoryportal.accounts.signin_forms.Authenticate",
    "reauthenticate": "memoryportal.accounts.signin_forms.ReauthenticateFactor",
    "activate_totp": "memoryportal.accounts.signin_forms.ActivateTOTP",
    "add_webauthn": "memoryportal.accounts.signin_forms.AddPasskey",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = False
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION
MFA_TOTP_ISSUER = "MemoryPortal"
MFA_TOTP_TOLERANCE = 0  # allauth remembers a used code for one period: with a tolerance it could be used again
USERSESSIONS_ADAPTER = "memoryportal.accounts.sessions_adapter.UserSessionsAdapter"
USERSESSIONS_TRACK_ACTIVITY = False  # accounts/sessions.py does, without writing at every request
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- sessions, cookies, transport -----------------------------------------------------------------------------
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = env.int("SESSION_IDLE_SECONDS", default=8 * 3600)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_NAME = "__Host-session" if PRODUCTION else "session"
SESSION_ABSOLUTE_SECONDS = env.int("SESSION_ABSOLUTE_SECONDS", default=7 * 24 * 3600)
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "memoryportal.base.views.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# What people upload is never written to a disk; a larger file is left out.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],  # data: is the QR code of the TOTP page
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- mail
# ----------------------------------------------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=PRIVACY_CONTACT or "portal@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_TIMEOUT = 10

# --- the rest
# --------------------------------------------------------------------------------------------------------------
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "base_cache",  # shared between processes: allauth's limits count there
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # Django's 300 would let many attempts push out each other's counters
    }
}
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if (PRODUCTION or DEMO)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG or TESTING

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"content_free": {"()": "memoryportal.base.logs.ContentFree"}},
    "formatters": {"line": {"()": "memoryportal.base.logs.LineFormatter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["content_free"]},
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # mem0 logs memory text at INFO and WARNING (mem0-traps): nothing below CRITICAL leaves it.
        "mem0": {"level": "CRITICAL", "propagate": False, "handlers": []},
        "httpx": {"level": "WARNING"},
        "procrastinate": {"level": "WARNING"},
        "fido2": {"level": "WARNING"},  # it names every passkey that is used
        # granian and allauth name paths and accounts; Django's request log would repeat exception details.
        "django.db.backends": {"level": "WARNING"},
    },
}
os.environ["MEM0_TELEMETRY"] = "False"
os.environ.setdefault("MEM0_DIR", str(DATA_DIR / "mem0"))
