"""Superset's configuration. Every value comes from the environment (configuration/environment.py).

The assets contain no address and no password. `connect_to_trino` adds them to every connection, so
the same files serve every topology.
"""

import base64
import codecs
import csv
import hashlib
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import requests
from cachelib import FileSystemCache
from flask import Flask, Response, g, request, session
from flask_login import user_logged_in, user_logged_out
from sqlalchemy.engine.url import URL
from superset.config import TALISMAN_CONFIG as DEFAULT_TALISMAN_CONFIG
from superset.config import THEME_DEFAULT as DEFAULT_THEME

# Time ranges such as "the last hour" are in UTC, whatever the machine's time zone.
os.environ["TZ"] = "UTC"
time.tzset()

APP_NAME = "Tributary"
SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_METADATA_URI"]
# Browsers store cookies per host, not per port. This name keeps ours apart from another local
# Superset's.
SESSION_COOKIE_NAME = "tributary_superset"
SESSION_COOKIE_SAMESITE = "Lax"
# A login ends at logout, after a day without a request, and at last after a month.
PERMANENT_SESSION_LIFETIME = timedelta(days=1)
LONGEST_LOGIN = timedelta(days=30)
# Nobody gets in without a password: anonymous visitors have no permissions.
PUBLIC_ROLE_LIKE = None
# Embedded dashboards and asynchronous queries are off. Their tokens would be signed with secrets
# that everybody can read in Superset's source, so each start makes secrets that nobody knows.
GUEST_TOKEN_JWT_SECRET = secrets.token_hex()
GLOBAL_ASYNC_QUERIES_JWT_SECRET = secrets.token_hex()
# No page of another site reads an answer. By default, those of two map services may.
ENABLE_CORS = False
# A browser keeps no page with data after the logout. Superset's own files stay cached.
DEFAULT_HTTP_HEADERS = {"Cache-Control": "no-store"}
LOG_LEVEL = "WARNING"
ROW_LIMIT = 5000
SUPERSET_WEBSERVER_TIMEOUT = 60
# Charts do not stream CSV files: Superset 6.1 would append a semicolon to the query, which Trino
# refuses, and it holds the rows (at most 100,000) in memory anyway.
CSV_STREAMING_ROW_THRESHOLD = 10**9
# Wrong passwords for one name from one address (limit_logins). There is one worker process, so its
# memory counts them all. Other requests have no limit: a dashboard sends many at once.
WRONG_LOGINS = "10 per minute"
RATELIMIT_ENABLED = True
RATELIMIT_APPLICATION = None
RATELIMIT_STRATEGY = "moving-window"
RATELIMIT_STORAGE_URI = "memory://"
# Superset's own limit guards a page that takes no password.
AUTH_RATE_LIMITED = False

# A refresh reads the cache if another viewer's refresh has just filled it. The timeout is half of
# the dashboard's refresh interval (10 s), so a chart is never a whole interval behind.
DASHBOARD_AUTO_REFRESH_MODE = "fetch"
DATA_CACHE_SECONDS = 5
_FILES = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": str(Path(os.environ["SUPERSET_HOME"]) / "cache"),
    "CACHE_THRESHOLD": 2000,
}
CACHE_CONFIG = {**_FILES, "CACHE_DEFAULT_TIMEOUT": 300, "CACHE_KEY_PREFIX": "metadata_"}
DATA_CACHE_CONFIG = {
    **_FILES,
    "CACHE_DEFAULT_TIMEOUT": DATA_CACHE_SECONDS,
    "CACHE_KEY_PREFIX": "data_",
}
FILTER_STATE_CACHE_CONFIG = {
    **_FILES,
    "CACHE_DEFAULT_TIMEOUT": 7 * 86_400,
    "CACHE_KEY_PREFIX": "filter_",
}
EXPLORE_FORM_DATA_CACHE_CONFIG = {**FILTER_STATE_CACHE_CONFIG, "CACHE_KEY_PREFIX": "explore_"}

# A browser that shows a dashboard talks to this server only. The tooltip of a chart renders HTML in
# the name of a source. Without style attributes, such a link cannot cover the page. The cost: a
# tooltip shows no coloured dots.
TALISMAN_CONFIG = {
    **DEFAULT_TALISMAN_CONFIG,
    "content_security_policy": {
        **DEFAULT_TALISMAN_CONFIG["content_security_policy"],
        "img-src": ["'self'", "blob:", "data:"],
        "connect-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "style-src-attr": ["'none'"],
        "font-src": ["'self'", "data:"],
    },
}

EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": "tributary",
        "description": "Water colours first, earth colours for what stands out",
        "label": "Tributary",
        "isDefault": True,
        "colors": [
            "#12719E",
            "#2BB3B1",
            "#F0A93B",
            "#7E6BB5",
            "#E2714B",
            "#6FBF73",
            "#C25B8A",
            "#9AAAB5",
        ],
    }
]
_LOGO = base64.b64encode(Path(__file__).with_name("logo.svg").read_bytes()).decode()
THEME_DEFAULT = {
    **DEFAULT_THEME,
    "token": {
        **DEFAULT_THEME.get("token", {}),
        "brandAppName": "Tributary",
        "brandLogoAlt": "Tributary",
        "brandLogoUrl": f"data:image/svg+xml;base64,{_LOGO}",
        "brandLogoHeight": "32px",
        "brandLogoMargin": "8px 0",
        "colorPrimary": "#12719E",
        "colorLink": "#12719E",
    },
}


# Charts read as `dashboard`, SQL Lab as `analyst`. Trino's rules decide what each may see.
TRINO_PASSWORDS = {
    "dashboard": os.environ["TRINO_DASHBOARD_PASSWORD"],
    "analyst": os.environ["TRINO_ANALYST_PASSWORD"],
}


def connect_to_trino(uri: URL, params: dict[str, Any], *_who: object) -> tuple[URL, dict[str, Any]]:
    """Add the address of the lake, the password of the connection's user and the CA.

    The session ignores the machine's own settings: a REQUESTS_CA_BUNDLE in the environment would
    override the CA, and our own Trino is not behind a proxy.
    """
    if uri.get_backend_name() != "trino":
        return uri, params
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ["TRINO_CA_FILE"]
    uri = uri.set(
        host=os.environ["TRINO_HOST"],
        port=int(os.environ["TRINO_PORT"]),
        password=TRINO_PASSWORDS[uri.username],
    )
    connect_args = {
        **params.get("connect_args", {}),
        "http_scheme": "https",
        "http_session": session,
        "timezone": "UTC",
    }
    return uri, {**params, "connect_args": connect_args}


DB_CONNECTION_MUTATOR = connect_to_trino


# The logins that have not ended. The browser's signed cookie names one of them; without this, a
# copy of the cookie would still work after the logout.
LOGINS = FileSystemCache(
    str(Path(os.environ["SUPERSET_HOME"]) / "logins"),
    threshold=10_000,
    default_timeout=LONGEST_LOGIN,
    mode=0o600,
)


def limit_logins(app: Flask) -> None:
    """Answer 429 after too many wrong passwords, on the login page and in the API."""
    limit = app.appbuilder.sm.limiter.shared_limit(
        WRONG_LOGINS, "login", key_func=identify_caller, methods=["POST"], deduct_when=is_refused
    )
    for name in ("AuthDBView", "SecurityApi"):
        limit(app.blueprints[name])


def identify_caller() -> str:
    """The name that tries to log in and its address, as a digest, because a name may be long."""
    fields = request.get_json(silent=True) if request.is_json else request.form
    name = fields.get("username") if isinstance(fields, Mapping) else ""
    return hashlib.sha256(
        f"{request.remote_addr} {name}".lower().encode(errors="replace")
    ).hexdigest()


def is_refused(response: Response) -> bool:
    """Whether a password was wrong. Another site's form lacks the token and counts for nothing."""
    is_sent_back = urlsplit(response.location or "").path == "/login/"
    return response.status_code == requests.codes.unauthorized or (
        is_sent_back and g.get("csrf_valid", False)
    )


def end_logins_at_logout(app: Flask) -> None:
    """Accept a cookie only while the login that it names has not ended."""
    manager = app.appbuilder.sm

    @manager.lm.user_loader
    def load_user(user_id: str) -> Any:
        return manager.load_user(user_id) if LOGINS.has(session.get("login", "")) else None

    user_logged_in.connect(begin_login)
    user_logged_out.connect(end_login)


def begin_login(*_sender: object, **_user: object) -> None:
    """Store a new login, and give its name to the browser."""
    session["login"] = secrets.token_hex()
    session.permanent = True  # each answer renews the cookie's day
    LOGINS.set(session["login"], value=True)


def end_login(*_sender: object, **_user: object) -> None:
    """Forget the login that the browser's cookie names."""
    LOGINS.delete(session.pop("login", ""))


NO_TEXT = object()  # differs from every text


class EscapingWriter:
    """Writes a CSV file in which no text is a formula, and which a spreadsheet reads as UTF-8."""

    def __init__(self, buffer: Any, **options: Any) -> None:
        buffer.write(codecs.BOM_UTF8.decode())
        self._writer = csv.writer(buffer, **options)

    def writerow(self, row: Sequence[Any]) -> None:
        """Write one row, escaped as Superset escapes a file that it does not stream."""
        from superset.utils.csv import escape_value  # noqa: PLC0415 - it needs the configuration

        self._writer.writerow([escape_value(v) if isinstance(v, str) else v for v in row])


def escape_streamed_files() -> None:
    """Make Superset stream CSV files through EscapingWriter; by itself it escapes nothing.

    SQL Lab's API streams whatever CSV_STREAMING_ROW_THRESHOLD says.
    """
    from superset.commands.streaming_export import base  # noqa: PLC0415 - it needs the application

    base.csv = SimpleNamespace(writer=EscapingWriter, QUOTE_MINIMAL=csv.QUOTE_MINIMAL)


def mark_as_utf8(response: Response) -> Response:
    """Begin a CSV file with a byte order mark; without it, Excel garbles Arabic text.

    CSV_EXPORT's `utf-8-sig` does so for SQL Lab's files only. EscapingWriter does it for streams.
    """
    if response.mimetype == "text/csv" and not response.is_streamed:
        file = response.get_data()
        response.set_data(codecs.BOM_UTF8 + file.removeprefix(codecs.BOM_UTF8))
    return response


def read_filters_literally() -> None:
    """Make a filter for `<NULL>` or `<empty string>` find these texts.

    Superset takes them for its own signs, so that a sender's text of that name could not be chosen.
    A filter for null has an operator of its own.
    """
    from superset.models import helpers  # noqa: PLC0415 - it needs the application

    helpers.NULL_STRING = helpers.EMPTY_STRING = NO_TEXT


def harden(app: Flask) -> None:
    """Close what no setting of Superset closes. Superset calls this before it takes requests."""
    limit_logins(app)
    end_logins_at_logout(app)
    escape_streamed_files()
    app.after_request(mark_as_utf8)
    read_filters_literally()


FLASK_APP_MUTATOR = harden
