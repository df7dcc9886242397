"""Trino client for our own programs: one statement in, its rows out."""

from collections.abc import Sequence
from typing import Any

import requests
import trino
from trino.exceptions import HttpError, OperationalError, TrinoQueryError

from configuration.errors import ServiceError
from configuration.secrets import Secrets
from configuration.settings import Settings

# Longer than any of our statements takes. A request that hangs ends with an error.
REQUEST_TIMEOUT_SECONDS = 60


class TrinoClient:
    """A session of one Trino user."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[list[Any]]:
        """Run one statement to its end and return all rows.

        Args:
            statement: SQL, with `?` for each parameter.
            parameters: one value for each `?`.

        Raises:
            ServiceError: Trino is down or still starting. It opens its port before it has loaded
                its users' passwords.
            TrinoQueryError: Trino rejected the statement; its own message.
        """
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())
        except TrinoQueryError:
            raise  # some TrinoQueryErrors are OperationalErrors too
        except (OperationalError, HttpError) as error:
            # The client quotes an HTTP error's body as bytes, including the Java stack trace.
            # Keep the first line.
            reason, _, _ = str(error).partition("\\n")
            raise ServiceError(
                f"trino: no answer; it may still be starting, else its log says why: {reason}"
            ) from None


def connect_trino(settings: Settings, secrets: Secrets) -> TrinoClient:
    """Open a session as `etl`, the user that may write."""
    address = settings.topology.trino
    session = requests.Session()
    session.trust_env = False  # else REQUESTS_CA_BUNDLE would override `verify`
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
