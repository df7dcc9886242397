"""Access control: each user tries what it may not do, and is refused."""

import socket
from collections.abc import Iterator

import psutil
import pytest
import requests
from minio.error import S3Error
from trino.exceptions import TrinoUserError

from configuration.secrets import load_secrets
from tests.support.clients import REQUEST_SECONDS, Superset, Trino, store
from tests.support.lakehouses import RunningLakehouse
from tests.support.shop import Shop

WRITING_STATEMENTS = [
    "create table lake.marts.mine (a int)",
    "insert into lake.raw.quarantine select * from lake.raw.quarantine",
    "delete from lake.attribution.attributed_checkouts",
    "update lake.raw.checkouts set quantity = 2",
    "drop table lake.raw.clickstream",
    "create schema lake.mine",
    "create view lake.marts.mine as select 1 as a",
    "alter table lake.raw.clickstream execute optimize",
    "alter table lake.raw.clickstream execute expire_snapshots(retention_threshold => '7d')",
    "alter table lake.raw.clickstream execute rollback_to_snapshot(1)",
    "call lake.system.unregister_table('raw', 'clickstream')",
]


@pytest.fixture(scope="module")
def analyst(lakehouse: RunningLakehouse, shop: Shop) -> Trino:
    """Trino as the user `analyst`, with marts that are not empty."""
    assert shop.snapshot.attributed
    return Trino(lakehouse.environment)


@pytest.fixture(scope="module")
def dashboard(lakehouse: RunningLakehouse, analyst: Trino) -> Trino:
    """Trino as the user `dashboard`, which charts use."""
    assert analyst.query("select 1 from lake.marts.revenue_hourly")
    password = load_secrets(lakehouse.settings).trino_dashboard_password
    return Trino(lakehouse.environment, TRINO_USER="dashboard", TRINO_PASSWORD=password)


@pytest.fixture(scope="module")
def superset_viewer(lakehouse: RunningLakehouse, analyst: Trino) -> Superset:
    """Superset as the user `viewer`, who may only view dashboards."""
    assert analyst.query("select 1 from lake.marts.revenue_hourly")
    password = load_secrets(lakehouse.settings).superset_viewer_password
    return Superset(lakehouse.environment["SUPERSET_URL"], "viewer", password)


@pytest.fixture(scope="module")
def superset_analyst(lakehouse: RunningLakehouse) -> Superset:
    """Superset as the user `analyst`, who may use SQL Lab."""
    password = load_secrets(lakehouse.settings).superset_analyst_password
    return Superset(lakehouse.environment["SUPERSET_URL"], "analyst", password)


# --- Trino ----------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, "", "wrong"])
@pytest.mark.parametrize("user", ["etl", "analyst", "dashboard", "stranger"])
def test_trino_refuses_a_wrong_password(
    lakehouse: RunningLakehouse, user: str, password: str | None
) -> None:
    environment = lakehouse.environment
    reply = requests.post(
        f"{environment['TRINO_URL']}/v1/statement",
        data="select 1",
        headers={"X-Trino-User": user},
        auth=None if password is None else (user, password),
        verify=environment["TRINO_CA_FILE"],
        timeout=REQUEST_SECONDS,
    )
    assert reply.status_code == requests.codes.unauthorized


@pytest.mark.parametrize("statement", WRITING_STATEMENTS)
@pytest.mark.parametrize("who", ["analyst", "dashboard"])
def test_trino_refuses_writing_statements_of_readers(
    analyst: Trino, dashboard: Trino, who: str, statement: str
) -> None:
    reader = {"analyst": analyst, "dashboard": dashboard}[who]
    # Resource groups admit only reading statements of readers, before any access rule applies.
    with pytest.raises(TrinoUserError, match="QUERY_REJECTED"):
        reader.query(statement)


@pytest.mark.parametrize(
    "relation",
    [
        "lake.raw.checkouts",
        "lake.raw.quarantine",
        "lake.attribution.attributed_checkouts",
        "lake.staging.stg_lake__clicks",
        # Their statistics contain the smallest and the largest name.
        'lake.marts."dim_users$files"',
        'lake.marts."dim_users$partitions"',
        "table(lake.system.table_changes('marts', 'dim_users', 1, 2))",
        "system.runtime.queries",
    ],
)
def test_dashboard_user_may_read_only_marts(dashboard: Trino, relation: str) -> None:
    assert dashboard.query("select * from lake.marts.revenue_hourly")
    with pytest.raises(TrinoUserError, match="Access Denied"):
        dashboard.query(f"select 1 from {relation}")


def test_dashboard_user_sees_no_names_and_birth_dates(analyst: Trino, dashboard: Trino) -> None:
    [[name, birth_date]] = analyst.query(
        "select user_name, birth_date from lake.marts.dim_users"
        " where user_name is not null and day(birth_date) > 1 limit 1"
    )
    assert dashboard.query("select distinct user_name from lake.marts.dim_users") == [("***",)]
    assert dashboard.query(
        "select count_if(day_of_year(birth_date) > 1) from lake.marts.dim_users"
    ) == [(0,)]
    # A filter on a known value must not confirm it either.
    assert not dashboard.query(f"select 1 from lake.marts.dim_users where user_name = '{name}'")
    assert not dashboard.query(
        f"select 1 from lake.marts.dim_users where birth_date = date '{birth_date}'"
    )


# --- Superset -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/dashboard/",
        "/api/v1/chart/",
        "/api/v1/dataset/",
        "/api/v1/database/",
        "/api/v1/security/csrf_token/",
        "/superset/dashboard/last-hour/",
    ],
)
def test_superset_refuses_requests_without_a_login(lakehouse: RunningLakehouse, path: str) -> None:
    reply = requests.get(
        lakehouse.environment["SUPERSET_URL"] + path,
        timeout=REQUEST_SECONDS,
        allow_redirects=False,
    )
    is_sent_to_login = reply.is_redirect and "/login" in reply.headers["location"]
    assert is_sent_to_login or reply.status_code in (401, 403)


@pytest.mark.parametrize("user", ["admin", "analyst", "viewer"])
@pytest.mark.parametrize("password", ["", "admin", "wrong"])
def test_superset_refuses_a_wrong_password(
    lakehouse: RunningLakehouse, user: str, password: str
) -> None:
    with pytest.raises(requests.HTTPError):
        Superset(lakehouse.environment["SUPERSET_URL"], user, password)


@pytest.fixture(scope="module")
def dataset(superset_analyst: Superset) -> int:
    """Id of the dataset that charts of the last hour read."""
    return superset_analyst.find_dataset("live_checkouts")


def test_viewer_sees_charts(superset_viewer: Superset, dataset: int) -> None:
    assert superset_viewer.get("/api/v1/dashboard/").json()["count"] > 0
    reply = superset_viewer.ask(dataset, "count(*)")
    assert reply.ok, reply.text


@pytest.mark.parametrize(
    "metric",
    [
        "(select count(*) from lake.raw.checkouts)",
        "(select max(user_name) from lake.staging.stg_lake__users_changes)",
        "count(*) from lake.raw.checkouts --",
        "count(*)); drop table lake.marts.revenue_hourly; --",
    ],
)
def test_viewer_is_refused_when_a_metric_reads_other_tables(
    superset_viewer: Superset, dataset: int, metric: str
) -> None:
    assert not superset_viewer.ask(dataset, metric).ok


def test_viewer_may_not_use_sql_lab(superset_viewer: Superset, superset_analyst: Superset) -> None:
    for name in ("lake", "lake (SQL)"):
        reply = superset_viewer.run_sql(superset_analyst.find_database(name), "select 1")
        assert reply.status_code == requests.codes.forbidden, reply.text


@pytest.mark.parametrize("kind", ["chart", "dashboard", "dataset"])
def test_viewer_may_not_delete_an_asset(
    superset_viewer: Superset, superset_analyst: Superset, kind: str
) -> None:
    first = superset_analyst.get(f"/api/v1/{kind}/").json()["ids"][0]
    reply = superset_viewer.delete(f"/api/v1/{kind}/{first}")
    assert reply.status_code == requests.codes.forbidden, reply.text


def test_sql_lab_queries_trino_as_analyst(superset_analyst: Superset) -> None:
    database = superset_analyst.find_database("lake (SQL)")
    reply = superset_analyst.run_sql(
        database, "select current_user as name from lake.raw.checkouts"
    )
    assert reply.ok, reply.text
    assert {row["name"] for row in reply.json()["data"]} == {"analyst"}


@pytest.mark.parametrize("statement", ["drop table lake.raw.checkouts", WRITING_STATEMENTS[0]])
def test_sql_lab_refuses_writing_statements(superset_analyst: Superset, statement: str) -> None:
    database = superset_analyst.find_database("lake (SQL)")
    assert not superset_analyst.run_sql(database, statement).ok


# --- Object store, broker, cluster ----------------------------------------------------------


def s3_attempts(lakehouse: RunningLakehouse) -> Iterator[tuple[str, str, str]]:
    """Access key, secret key, and a bucket that they must not open."""
    secrets = load_secrets(lakehouse.settings)
    lake = lakehouse.settings.pipeline.lake
    yield secrets.s3_analyst_access_key, "wrong" * 8, lake.bucket
    yield secrets.s3_flink_access_key, secrets.s3_trino_secret_key, lake.bucket
    yield secrets.s3_root_access_key, secrets.s3_flink_secret_key, lake.bucket
    yield secrets.s3_analyst_access_key, secrets.s3_analyst_secret_key, lake.state_bucket
    yield secrets.s3_trino_access_key, secrets.s3_trino_secret_key, lake.state_bucket


def test_store_refuses_a_key_that_is_not_for_the_bucket(lakehouse: RunningLakehouse) -> None:
    for access_key, secret_key, bucket in s3_attempts(lakehouse):
        objects = store(lakehouse, access_key, secret_key).list_objects(bucket)
        with pytest.raises(S3Error) as refused:
            next(iter(objects))
        expected = {"AccessDenied", "SignatureDoesNotMatch"}
        assert refused.value.code in expected, (access_key, bucket)


def test_store_refuses_when_a_reader_removes_a_file(lakehouse: RunningLakehouse) -> None:
    secrets = load_secrets(lakehouse.settings)
    client = store(lakehouse, secrets.s3_analyst_access_key, secrets.s3_analyst_secret_key)
    with pytest.raises(S3Error, match="AccessDenied"):
        client.remove_object(lakehouse.settings.pipeline.lake.bucket, "nothing")


def test_no_port_answers_on_outside_addresses(lakehouse: RunningLakehouse) -> None:
    outside = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    assert outside, "this test needs a machine with a network address other than loopback"
    answered = [
        (address, port)
        for address in outside
        for port in lakehouse.ports()
        if is_answered(address, port)
    ]
    assert answered == []


def is_answered(address: str, port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex((address, port)) == 0


@pytest.mark.parametrize("path", ["/jars/upload", "/v1/jars/upload"])
def test_flink_refuses_jar_uploads(lakehouse: RunningLakehouse, path: str) -> None:
    url = lakehouse.environment["FLINK_URL"]
    reply = requests.post(
        url + path,
        files={"jarfile": ("mine.jar", b"PK", "application/x-java-archive")},
        timeout=REQUEST_SECONDS,
    )
    assert reply.status_code in (400, 404), "Flink must not accept the upload"
    assert "filename" not in reply.json()
