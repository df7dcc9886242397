"""Trino's files: everything that they refer to exists, and the rules grant no more than needed."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from configuration import REPOSITORY
from configuration.environment import trino_environment
from configuration.secrets import Secrets
from configuration.settings import Settings

ETC = REPOSITORY / "trino/etc"
QUERIES = sorted((REPOSITORY / "trino/queries").glob("*.sql"))
FILES = sorted(ETC.rglob("*.properties"))


def read_properties(name: str) -> dict[str, str]:
    lines = (ETC / name).read_text().splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    return dict(pairs)


def test_every_environment_variable_of_trino_has_a_value(
    settings: Settings, secrets: Secrets
) -> None:
    used = {name for file in FILES for name in re.findall(r"\$\{ENV:(\w+)\}", file.read_text())}
    provided = trino_environment(settings, secrets)
    assert used, "the files refer to the environment"
    assert used <= provided.keys()


def test_files_named_by_other_files_exist() -> None:
    named = [value for file in FILES for value in re.findall(r"=(etc/\S+)", file.read_text())]
    assert named
    assert [name for name in named if not (REPOSITORY / "trino" / name).is_file()] == []


def test_the_lakes_catalog_has_a_file(settings: Settings) -> None:
    assert (ETC / "catalog" / f"{settings.pipeline.lake.catalog}.properties").is_file()


def test_connections_need_tls_and_a_password() -> None:
    config = read_properties("config.properties")
    assert config["http-server.http.enabled"] == "false"
    assert config["http-server.https.enabled"] == "true"
    assert config["http-server.authentication.type"] == "PASSWORD"
    assert (
        read_properties("password-authenticator.properties")["password-authenticator.name"]
        == "file"
    )


def first_rule(section: str, **asked: str) -> dict[str, Any]:
    """The rule that Trino applies: the first one whose patterns all match."""
    rules = json.loads((ETC / "rules.json").read_text())[section]
    for rule in rules:
        if all(re.fullmatch(rule.get(key, ".*"), value) for key, value in asked.items()):
            return dict(rule)
    return {}


@pytest.mark.parametrize(
    ("user", "schema", "privileges"),
    [
        ("dashboard", "marts", ["SELECT"]),
        ("dashboard", "raw", []),
        ("dashboard", "attribution", []),
        ("dashboard", "staging", []),
        ("analyst", "raw", ["SELECT"]),
        ("analyst", "marts", ["SELECT"]),
        ("stranger", "marts", []),
        ("etlx", "marts", []),
    ],
)
def test_users_read_only_what_they_need(user: str, schema: str, privileges: list[str]) -> None:
    rule = first_rule("tables", user=user, catalog="lake", schema=schema, table="t")
    assert rule["privileges"] == privileges


@pytest.mark.parametrize("table", ["dim_users", "another_mart"])
def test_personal_data_is_masked_for_the_dashboard(table: str) -> None:
    rule = first_rule("tables", user="dashboard", catalog="lake", schema="marts", table=table)
    masked = {each["name"] for each in rule["columns"] if each["mask"]}
    assert {"user_name", "birth_date", "signed_up_at", "country"} <= masked


def test_no_chart_reads_dim_users() -> None:
    """Its times tell when a user signed up, so they are hidden as well; no chart misses them."""
    rule = first_rule("tables", user="dashboard", catalog="lake", schema="marts", table="dim_users")
    assert {"known_at", "latest_ingested_at"} <= {each["name"] for each in rule["columns"]}
    datasets = (REPOSITORY / "superset/assets/datasets").rglob("*.yaml")
    assert "dim_users" not in {file.stem for file in datasets}


@pytest.mark.parametrize("metadata", ["files", "partitions", "history"])
def test_the_dashboard_cannot_read_metadata_tables(metadata: str) -> None:
    rule = first_rule(
        "tables", user="dashboard", catalog="lake", schema="marts", table=f"dim_users${metadata}"
    )
    assert rule["privileges"] == []


@pytest.mark.parametrize(
    ("user", "catalog", "allowed"),
    [
        ("etl", "lake", "all"),
        ("analyst", "lake", "read-only"),
        ("dashboard", "lake", "read-only"),
        ("stranger", "lake", "none"),
        ("dashboard", "another", "none"),
    ],
)
def test_only_etl_writes(user: str, catalog: str, allowed: str) -> None:
    assert first_rule("catalogs", user=user, catalog=catalog)["allow"] == allowed


def test_nobody_may_impersonate_another_user() -> None:
    assert first_rule("impersonation", original_user="dashboard", new_user="etl") == {
        "original_user": ".*",
        "new_user": ".*",
        "allow": False,
    }


@pytest.mark.parametrize(
    ("user", "name", "allowed"),
    [
        ("analyst", "time_zone_id", True),
        ("analyst", "query_max_run_time", False),
        ("analyst", "resource_overcommit", False),
        ("analyst", "not_time_zone_id", False),
        ("dashboard", "query_max_run_time", False),
        ("stranger", "time_zone_id", False),
        ("etl", "task_max_writer_count", True),
    ],
)
def test_people_set_only_harmless_session_properties(user: str, name: str, allowed: bool) -> None:
    rule = first_rule("system_session_properties", user=user, property=name)
    assert rule["allow"] is allowed


@pytest.mark.parametrize(
    ("user", "name", "allowed"),
    [
        ("analyst", "statistics_enabled", True),
        ("analyst", "expire_snapshots_min_retention", False),
        ("stranger", "statistics_enabled", False),
        ("etl", "expire_snapshots_min_retention", True),
    ],
)
def test_people_set_only_harmless_properties_of_the_lake(
    user: str, name: str, allowed: bool
) -> None:
    rule = first_rule("catalog_session_properties", user=user, catalog="lake", property=name)
    assert rule["allow"] is allowed


def test_superset_may_set_the_session_properties_of_its_connections() -> None:
    for file in (REPOSITORY / "superset/assets/databases").glob("*.yaml"):
        connection = yaml.safe_load(file.read_text())
        arguments = connection["extra"]["engine_params"]["connect_args"]
        user = urlsplit(connection["sqlalchemy_uri"]).username
        for name in arguments.get("session_properties", {}):
            catalog, _, key = name.partition(".")
            rule = first_rule(
                "catalog_session_properties", user=user, catalog=catalog, property=key
            )
            assert rule["allow"] is True, name


def groups_of(user: str, query_type: str) -> list[str]:
    """The resource groups that admit a user's statement."""
    selectors = json.loads((ETC / "resource-groups.json").read_text())["selectors"]
    return [
        each["group"]
        for each in selectors
        if each["user"] == user and each.get("queryType", query_type) == query_type
    ]


@pytest.mark.parametrize("query_type", ["SELECT", "DESCRIBE", "EXPLAIN", "DATA_DEFINITION"])
@pytest.mark.parametrize("user", ["etl", "analyst", "dashboard"])
def test_harmless_statements_have_a_group_with_limits(user: str, query_type: str) -> None:
    [group] = groups_of(user, query_type)
    groups = json.loads((ETC / "resource-groups.json").read_text())["rootGroups"]
    [limits] = [each for each in groups if each["name"] == group]
    assert limits["hardConcurrencyLimit"] <= 4
    assert limits["maxQueued"] <= 100


@pytest.mark.parametrize(
    "query_type", ["ALTER_TABLE_EXECUTE", "INSERT", "UPDATE", "DELETE", "MERGE", "ANALYZE"]
)
@pytest.mark.parametrize("user", ["analyst", "dashboard", "stranger"])
def test_writing_statements_of_readers_have_no_group(user: str, query_type: str) -> None:
    assert groups_of(user, query_type) == []


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_a_query_states_its_question_and_its_tables(file: Any) -> None:
    lines = file.read_text().splitlines()
    assert lines[0].startswith("-- ")
    assert "?" in lines[0], "the first line is the question"
    assert any(line.startswith("-- Reads: ") for line in lines)
    assert ";" not in file.read_text().rstrip().removesuffix(";"), "one statement a file"
