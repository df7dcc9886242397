"""Clients of a lakehouse: Trino, Flink, Superset and the stores, as users reach them."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from minio import Minio
from trino import auth, dbapi

from configuration.secrets import load_secrets
from tests.support.lakehouses import RunningLakehouse

REQUEST_SECONDS = 30


class Trino:
    """Queries as the user that the environment names; `changes` override the environment.

    Every statement is sent with `session_properties`, as somebody sends it who skips `set session`.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        session_properties: Mapping[str, str] | None = None,
        **changes: str,
    ) -> None:
        environment = {**environment, **changes}
        address = urlsplit(environment["TRINO_URL"])
        session = requests.Session()
        session.trust_env = False  # else REQUESTS_CA_BUNDLE would override `verify`
        session.verify = environment["TRINO_CA_FILE"]
        user, password = environment["TRINO_USER"], environment["TRINO_PASSWORD"]
        self._connection = dbapi.connect(
            host=address.hostname,
            port=address.port,
            http_scheme=address.scheme,
            auth=auth.BasicAuthentication(user, password) if password else None,
            user=user,
            http_session=session,
            session_properties=dict(session_properties or {}),
            catalog="lake",
            request_timeout=REQUEST_SECONDS,
            max_attempts=1,
            timezone="UTC",
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement; return all rows."""
        cursor = self._connection.cursor()
        return [tuple(row) for row in cursor.execute(sql).fetchall()]


class Flink:
    """The cluster's REST API, through the front door; expects at most one job."""

    def __init__(self, url: str, login: tuple[str, str]) -> None:
        self._url = url
        self._login = login

    def running_job(self) -> str:
        """The id of the running job, '' if none runs."""
        jobs = self._get("/jobs/overview")["jobs"]
        running = [job["jid"] for job in jobs if job["state"] == "RUNNING"]
        assert len(running) <= 1, jobs
        return running[0] if running else ""

    def has_all_tasks_running(self) -> bool:
        """Whether the job runs, with all of its tasks."""
        jobs = self._get("/jobs/overview")["jobs"]
        return any(
            job["state"] == "RUNNING" and job["tasks"]["running"] == job["tasks"]["total"] > 0
            for job in jobs
        )

    def failures(self, job: str, since: float = 0) -> list[str]:
        """The reason of each restart of the job since then (epoch seconds)."""
        history = self._get(f"/jobs/{job}/exceptions")["exceptionHistory"]
        return [
            str(entry["stacktrace"])
            for entry in history["entries"]
            if entry["timestamp"] >= since * 1000
        ]

    def restored_from(self, job: str) -> dict[str, Any]:
        """The checkpoint or savepoint that the job started from; empty if none."""
        return self._get(f"/jobs/{job}/checkpoints")["latest"]["restored"] or {}

    def everything_told(self) -> str:
        """Everything that the API says about cluster and job, as one text."""
        job = self.running_job()
        paths = ["/config", "/jobmanager/config", "/jobmanager/environment", f"/jobs/{job}"]
        paths += [f"/jobs/{job}/{part}" for part in ("config", "plan", "exceptions")]
        return "".join(json.dumps(self._get(path)) for path in paths)

    def _get(self, path: str) -> Any:
        response = requests.get(self._url + path, auth=self._login, timeout=REQUEST_SECONDS)
        response.raise_for_status()
        return response.json()


class Superset:
    """The dashboards' REST API, as one of its users.

    Raises:
        requests.HTTPError: the password is wrong.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        login = self._session.post(
            f"{url}/api/v1/security/login",
            json={"username": user, "password": password, "provider": "db"},
            timeout=REQUEST_SECONDS,
        )
        login.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        token = self.get("/api/v1/security/csrf_token/")
        self._session.headers["Referer"] = url
        if token.ok:  # a user who may not have a token is refused any request that needs one
            self._session.headers["X-CSRFToken"] = token.json()["result"]

    def get(self, path: str) -> requests.Response:
        """The reply to a GET request, refused or not."""
        return self._session.get(self._url + path, timeout=REQUEST_SECONDS)

    def delete(self, path: str) -> requests.Response:
        """The reply to a DELETE request, refused or not."""
        return self._session.delete(self._url + path, timeout=REQUEST_SECONDS)

    def find_dataset(self, name: str) -> int:
        """The id of the dataset with this name."""
        return self._find("/api/v1/dataset/", "table_name", name)

    def find_database(self, name: str) -> int:
        """The id of the database connection with this name."""
        return self._find("/api/v1/database/", "database_name", name)

    def ask(self, dataset: int, metric: str) -> requests.Response:
        """Run a chart's query with an SQL expression that the user chose."""
        own = {"expressionType": "SQL", "sqlExpression": metric, "label": "mine"}
        body = {
            "datasource": {"id": dataset, "type": "table"},
            "queries": [{"metrics": [own], "columns": [], "row_limit": 10}],
            "result_format": "json",
            "result_type": "full",
        }
        return self._post("/api/v1/chart/data", body)

    def run_sql(self, database: int, sql: str, client_id: str = "") -> requests.Response:
        """Run a statement in SQL Lab; `client_id` names its result, in at most 11 characters."""
        named = {"client_id": client_id} if client_id else {}
        body = {"database_id": database, "sql": sql, "runAsync": False, "queryLimit": 10}
        return self._post("/api/v1/sqllab/execute/", body | named)

    def submit(self, path: str, form: dict[str, str]) -> requests.Response:
        """The reply to a form that a browser sends."""
        return self._session.post(self._url + path, data=form, timeout=REQUEST_SECONDS)

    def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
        return self._session.post(self._url + path, json=body, timeout=REQUEST_SECONDS)

    def _find(self, path: str, column: str, name: str) -> int:
        results = self.get(path).json()["result"]
        [found] = [int(each["id"]) for each in results if each[column] == name]
        return found


def send_login_form(
    session: requests.Session, url: str, user: str, password: str
) -> requests.Response:
    """The reply to Superset's login page, filled in."""
    page = session.get(f"{url}/login/", timeout=REQUEST_SECONDS).text
    [token] = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    return session.post(
        f"{url}/login/",
        data={"username": user, "password": password, "csrf_token": token},
        headers={"Referer": url},
        timeout=REQUEST_SECONDS,
    )


def log_in_by_form(url: str, user: str, password: str) -> requests.Session:
    """A browser's session of Superset after the login page."""
    session = requests.Session()
    session.trust_env = False
    send_login_form(session, url, user, password)
    return session


def log_in(lakehouse: RunningLakehouse, user: str, database: str) -> dict[str, Any]:
    """Parameters for psycopg to connect as a user that has its own password."""
    address = lakehouse.settings.topology.postgres
    secrets = load_secrets(lakehouse.settings).model_dump()
    return {
        "host": address.host,
        "port": address.port,
        "dbname": database,
        "user": user,
        "password": secrets[f"postgres_{user}_password"],
        "connect_timeout": 5,
    }


def store(lakehouse: RunningLakehouse, access_key: str, secret_key: str) -> Minio:
    """A MinIO client with this key."""
    endpoint = lakehouse.environment["S3_ENDPOINT"].removeprefix("http://")
    region = lakehouse.environment["S3_REGION"]
    return Minio(endpoint, access_key, secret_key, secure=False, region=region)
