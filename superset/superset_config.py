"""Superset's configuration. Every value comes from the environment (configuration/environment.py).

The assets contain no address and no password. `connect_to_trino` adds them to every connection, so
the same files serve every topology.
"""

import base64
import os
import time
from pathlib import Path
from typing import Any

import requests
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
# Nobody gets in without a password: anonymous visitors have no permissions.
PUBLIC_ROLE_LIKE = None
LOG_LEVEL = "WARNING"
ROW_LIMIT = 5000
SUPERSET_WEBSERVER_TIMEOUT = 60
RATELIMIT_STORAGE_URI = "memory://"

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

# A browser that shows a dashboard talks to this server only.
TALISMAN_CONFIG = {
    **DEFAULT_TALISMAN_CONFIG,
    "content_security_policy": {
        **DEFAULT_TALISMAN_CONFIG["content_security_policy"],
        "img-src": ["'self'", "blob:", "data:"],
        "connect-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
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
