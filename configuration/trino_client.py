"""Trino for our own steps: one statement in, its rows out."""

from collections.abc import Sequence
from typing import Any

import requests
import trino
from trino.exceptions import HttpError, OperationalError, TrinoQueryError

from configuration.errors import ServiceError
from configuration.secrets import Secrets
from configuration.settings import Settings

# Longer than any statement of ours; what hangs is ended with an error.
REQUEST_TIMEOUT_SECONDS = 60


class TrinoClient:
    """A user's session."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[list[Any]]:
        """Run one statement, with a value for each of its `?`, to its end; return all rows.

        Raises:
            ServiceError: Trino is away, or still starting: it listens before it knows a password.
            TrinoQueryError: Trino's own words on the statement.
        """
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())
        except TrinoQueryError:
            raise  # some of them are OperationalErrors too
        except (OperationalError, HttpError) as error:
            # The client quotes the body of an HTTP error as bytes, with all of Java's frames.
            reason, _, _ = str(error).partition("\\n")
            raise ServiceError(
                f"trino: no answer; it is starting still, or its log says why it is away: {reason}"
            ) from None


def connect_trino(settings: Settings, secrets: Secrets) -> TrinoClient:
    """A session as `etl`, who may write."""
    address = settings.topology.trino
    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would win over `verify`
    session.verify = str(settings.trino_ca_file)
    connection = trino.dbapi.connect(
        host=address.host,
        port=address.port,
        http_scheme="https",
        auth=trino.auth.BasicAuthentication("etl", secrets.trino_etl_password),
        http_session=session,
        catalog=settings.pipeline.lake.catalog,
        request_timeout=REQUEST_TIMEOUT_SECONDS,
        source="tributary",
    )
    return TrinoClient(connection)
