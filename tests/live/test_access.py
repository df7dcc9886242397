"""Access control: each user tries what it may not do, and is refused."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from minio.error import S3Error
from trino.exceptions import TrinoUserError

from configuration import REPOSITORY
from configuration.environment import dbt_environment
from configuration.secrets import load_secrets
from configuration.settings import PIPELINE_FILE, Pipeline, read_section
from configuration.trino_client import connect_trino
from infra.services.marts import find_dbt
from infra.services.model import Lakehouse
from producer.plan import Plan
from producer.traffic import shop_of
from tests.support.clients import REQUEST_SECONDS, Superset, Trino, store
from tests.support.lakehouses import RunningLakehouse
from tests.support.shop import Shop

# Enough for a statement of more than 200,000 characters.
YEARS = range(1000, 6000)
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
    "merge into lake.raw.checkouts using (select 1 as one) on false when matched then delete",
    "truncate table lake.raw.clickstream",
    "analyze lake.raw.clickstream",
    "alter table lake.raw.clickstream rename to lake.raw.clicks",
    "alter table lake.raw.clickstream add column mine int",
    "alter table lake.raw.clickstream drop column url",
    "alter table lake.raw.clickstream set properties format = 'ORC'",
    "alter table lake.raw.clickstream set authorization analyst",
    "comment on table lake.raw.clickstream is 'mine'",
    "comment on column lake.raw.clickstream.url is 'mine'",
    "drop schema lake.marts cascade",
    "alter schema lake.marts rename to mine",
    "create or replace view lake.marts.revenue_hourly as select 1 as a",
    "drop view lake.staging.stg_lake__clicks",
    "create function lake.marts.mine() returns int return 1",
    "grant select on lake.raw.clickstream to user dashboard",
    "create catalog mine using iceberg",
    "call system.runtime.kill_query('20260101_000000_00000_aaaaa')",
    "set session authorization etl",
    "explain analyze delete from lake.raw.clickstream",
    "execute immediate 'alter table lake.raw.clickstream execute optimize'",
]
# Statements that change only the session of who sends them, each followed by one that uses it.
HARMLESS_STATEMENTS = [
    ["use lake.marts", "select count(*) from revenue_hourly"],
    ["set time zone 'Europe/Berlin'", "select current_timezone()"],
    ["set session join_distribution_type = 'BROADCAST'", "select 1"],
    ["set session lake.statistics_enabled = false", "select 1"],
    ["reset session join_distribution_type", "select 1"],
    ["prepare mine from select ?", "execute mine using 1", "deallocate prepare mine"],
    ["execute immediate 'select 1'"],
    ["show catalogs", "show schemas from lake", "show tables from lake.marts", "show session"],
    ["describe lake.marts.revenue_hourly", "show columns from lake.marts.revenue_hourly"],
    ["explain select * from lake.marts.revenue_hourly", "explain analyze select 1"],
]
# A longer or larger query, or one that costs others more.
LIMITS = {
    "query_max_run_time": "10d",
    "query_max_execution_time": "10d",
    "query_max_planning_time": "10d",
    "query_max_cpu_time": "10d",
    "query_max_memory": "1TB",
    "query_max_memory_per_node": "1TB",
    "query_max_total_memory": "1TB",
    "query_max_scan_physical_bytes": "1PB",
    "query_priority": "1000",
    "resource_overcommit": "true",
    "spill_enabled": "true",
    "task_concurrency": "64",
    "lake.expire_snapshots_min_retention": "0s",
    "lake.remove_orphan_files_min_retention": "0s",
    "lake.target_max_file_size": "1B",
}


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
    environment = lakehouse.environment
    url, user = environment["SUPERSET_URL"], environment["SUPERSET_USER"]
    return Superset(url, user, environment["SUPERSET_PASSWORD"])


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
    # The rules refuse it. What they do not cover, no resource group of readers admits.
    with pytest.raises(TrinoUserError, match=r"PERMISSION_DENIED|QUERY_REJECTED"):
        reader.query(statement)


@pytest.mark.parametrize("statements", HARMLESS_STATEMENTS, ids=lambda each: each[0])
def test_analyst_may_change_the_own_session(
    lakehouse: RunningLakehouse, statements: list[str]
) -> None:
    analyst = Trino(lakehouse.environment)  # a session of its own
    for statement in statements:
        assert analyst.query(statement) is not None


def test_prompt_keeps_the_session_from_one_statement_to_the_next(
    lakehouse: RunningLakehouse, tmp_path: Path
) -> None:
    file = tmp_path / "session.sql"
    file.write_text(
        "use raw; set time zone 'Europe/Berlin'; start transaction;"
        " select current_timezone() as zone, count(*) as rows from quarantine; commit;"
        " start transaction read only; select 1; rollback;"
    )
    assert "Europe/Berlin" in lakehouse.ask(file)


def test_dbt_runs_as_the_user_that_make_env_prints(
    own: Lakehouse, lakehouse: RunningLakehouse
) -> None:
    shown = subprocess.run(
        [find_dbt(own.settings), "show", "--inline", "select current_user as who"],
        cwd=REPOSITORY / "dbt",
        env={**dbt_environment(own.settings, own.secrets), **lakehouse.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "analyst" in shown.stdout, shown.stdout + shown.stderr


@pytest.mark.parametrize("who", ["analyst", "dashboard"])
@pytest.mark.parametrize("limit", LIMITS)
def test_readers_may_not_override_a_limit(
    lakehouse: RunningLakehouse, own: Lakehouse, who: str, limit: str
) -> None:
    password = getattr(own.secrets, f"trino_{who}_password")
    login = {"TRINO_USER": who, "TRINO_PASSWORD": password}
    value = LIMITS[limit]
    literal = value if value.isalnum() and not value[0].isdigit() else f"'{value}'"
    with pytest.raises(TrinoUserError, match="PERMISSION_DENIED"):
        Trino(lakehouse.environment, **login).query(f"set session {limit} = {literal}")
    with pytest.raises(TrinoUserError, match="PERMISSION_DENIED"):
        Trino(lakehouse.environment, {limit: value}, **login).query("select 1")


def test_trino_refuses_a_statement_that_it_could_not_plan(analyst: Trino) -> None:
    """Planning a statement of a million characters took the whole heap and ended the server."""
    hours = " or ".join(f"event_hour = timestamp '{year}-01-01 00:00:00 UTC'" for year in YEARS)
    with pytest.raises(TrinoUserError, match="QUERY_TEXT_TOO_LARGE"):
        analyst.query(f"select count(*) from marts.revenue_hourly where {hours}")


def test_writer_may_set_what_maintenance_needs(own: Lakehouse) -> None:
    writer = connect_trino(own.settings, own.secrets)
    writer.query("set session task_max_writer_count = 1")
    writer.query("set session lake.parquet_writer_block_size = '16MB'")
    writer.query("set session lake.expire_snapshots_min_retention = '1h'")
    assert writer.query("select 1") == [[1]]


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


def test_dashboard_user_sees_no_personal_data(analyst: Trino, dashboard: Trino) -> None:
    [[name, birth_date, signed_up_at]] = analyst.query(
        "select user_name, birth_date, cast(signed_up_at as varchar) from lake.marts.dim_users"
        " where user_name is not null and birth_date is not null and signed_up_at is not null"
        " limit 1"
    )
    assert dashboard.query("select distinct user_name from lake.marts.dim_users") == [("***",)]
    # A new user is captured within seconds of the sign-up, so these times are hidden as well.
    hidden = ("birth_date", "signed_up_at", "known_at", "latest_ingested_at")
    counts = ", ".join(f"count({column})" for column in hidden)
    assert dashboard.query(f"select {counts} from lake.marts.dim_users") == [(0,) * len(hidden)]
    # A filter on a known value must not confirm it either.
    for known in (
        f"user_name = '{name}'",
        f"birth_date = date '{birth_date}'",
        f"signed_up_at = timestamp '{signed_up_at}'",
    ):
        assert not dashboard.query(f"select 1 from lake.marts.dim_users where {known}"), known


@pytest.mark.parametrize("relation", ["dim_users", "live_checkouts"])
def test_dashboard_user_sees_no_country_beside_a_rare_gender(
    dashboard: Trino, relation: str
) -> None:
    countries = "select distinct country from lake.marts.{} where gender {} in ('female', 'male')"
    assert set(dashboard.query(countries.format(relation, "not"))) <= {("***",)}
    assert ("Germany",) in dashboard.query(countries.format(relation, ""))


def test_each_user_of_the_default_shop_is_one_of_five(analyst: Trino) -> None:
    """Trino applies the masks of `dim_users` to the users of the default shop."""
    file = REPOSITORY / "trino/etc/rules.json"
    [rule] = [
        each for each in json.loads(file.read_text())["tables"] if each.get("table") == "dim_users"
    ]
    masks = {each["name"]: each["mask"] for each in rule["columns"]}
    shop = shop_of(Plan.of(read_section(Pipeline, PIPELINE_FILE), start_ms=0))
    rows = ", ".join(
        f"('{user.gender}', date '{user.birth_date}', '{user.country}',"
        f" timestamp '{user.created_at:%Y-%m-%d %H:%M:%S} UTC')"
        for user in shop.users(int(time.time() * 1000))
    )
    columns = ("gender", "birth_date", "country", "signed_up_at")
    shown = ", ".join(masks.get(column, column) for column in columns)
    [[user_count, smallest_group]] = analyst.query(
        "select sum(user_count), min(user_count) from ("
        f" select count(*) as user_count from (values {rows}) as dim_users ({', '.join(columns)})"
        f" group by {shown})"
    )
    assert user_count == shop.user_count
    assert smallest_group >= 5


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


def test_sql_lab_shows_a_preview_of_each_mart(
    lakehouse: RunningLakehouse, superset_analyst: Superset
) -> None:
    """What a click on a table's name asks for. Superset fails on tables without partitions."""
    database = superset_analyst.find_database("lake (SQL)")
    marts = Trino(lakehouse.environment_of("analyst")).query(
        "select table_name from information_schema.tables"
        " where table_schema = 'marts' and table_type = 'BASE TABLE'"
    )
    assert marts
    for [mart] in marts:
        about, extra = (
            superset_analyst.get(
                f"/api/v1/database/{database}/table_metadata/{part}?name={mart}&schema=marts"
            )
            for part in ("", "extra/")
        )
        assert extra.ok, (mart, extra.text)
        preview = superset_analyst.run_sql(database, about.json()["selectStar"])
        assert preview.ok, (mart, preview.text)


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


# --- Object store, ports ----------------------------------------------------------


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
