"""A session with Flink's REST API, which answers only to its own certificate (mutual TLS)."""

import requests

from configuration.settings import Settings


def open_flink_session(settings: Settings) -> requests.Session:
    """Open a session that presents the certificate of the REST API and trusts no other one."""
    session = requests.Session()
    session.trust_env = False  # else REQUESTS_CA_BUNDLE would override `verify`
    session.cert = session.verify = str(settings.flink_identity_file)
    return session
