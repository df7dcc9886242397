"""Superset's files: whole, consistent with the marts, without an address or a password."""

import re
from collections import Counter
from typing import Any

import pytest
import yaml

from configuration import REPOSITORY
from configuration.environment import superset_environment
from configuration.secrets import Secrets
from configuration.settings import Settings

SUPERSET = REPOSITORY / "superset"
ASSETS = SUPERSET / "assets"
LAST_HOUR = 'DATEADD(DATETIME("now"), -1, hour) : now'
LAST_DAY = 'DATEADD(DATETIME("now"), -1, day) : now'


def read_assets(kind: str) -> dict[str, dict[str, Any]]:
    """The files of one kind, by their name."""
    files = sorted((ASSETS / kind).rglob("*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text()) for file in files}


DATABASES = read_assets("databases")
DATASETS = read_assets("datasets")
CHARTS = read_assets("charts")
DASHBOARDS = read_assets("dashboards")
DATASETS_BY_ID = {dataset["uuid"]: dataset for dataset in DATASETS.values()}


def read_default_span(dashboard: dict[str, Any]) -> str:
    """The time range with which a dashboard opens."""
    filters = dashboard["metadata"]["native_filter_configuration"]
    [span] = [
        one["defaultDataMask"]["extraFormData"]["time_range"]
        for one in filters
        if one["filterType"] == "filter_time"
    ]
    return str(span)


def list_filter_targets(dashboard: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each native filter that has values, with the column that they are of."""
    filters = dashboard["metadata"]["native_filter_configuration"]
    return [(one, target) for one in filters for target in one["targets"] if target]


def list_placed(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [part for part in dashboard["position"].values() if isinstance(part, dict)]
    return [part["meta"] for part in parts if part["type"] == "CHART"]


def test_no_two_assets_are_one_when_they_are_imported() -> None:
    every = [*DATABASES.values(), *DATASETS.values(), *CHARTS.values(), *DASHBOARDS.values()]
    counts = Counter(asset["uuid"] for asset in every)
    assert [uuid for uuid, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_is_a_mart_when_it_is_imported(name: str) -> None:
    dataset = DATASETS[name]
    [file] = (REPOSITORY / "dbt/models").rglob(f"{name}.yml")
    model = yaml.safe_load(file.read_text())
    promised = {
        column["name"]: column["data_type"].upper().replace(" ", "")
        for column in model["models"][0]["columns"]
    }
    read = {column["column_name"]: column["type"].replace(" ", "") for column in dataset["columns"]}
    assert dataset["schema"] == "marts"
    assert dataset["database_uuid"] in {database["uuid"] for database in DATABASES.values()}
    assert read == promised
    assert dataset["main_dttm_col"] in read


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_finds_its_dataset_when_it_is_drawn(name: str) -> None:
    chart = CHARTS[name]
    params = chart["params"]
    dataset = DATASETS_BY_ID[chart["dataset_uuid"]]
    metrics = {metric["metric_name"] for metric in dataset["metrics"]}
    columns = {column["column_name"] for column in dataset["columns"]}
    used = [
        *params.get("metrics", []),
        *params.get("metrics_b", []),
        *([params["metric"]] if "metric" in params else []),
    ]
    grouped = [*params.get("groupby", []), *([params["x_axis"]] if "x_axis" in params else [])]
    assert used
    assert set(used) <= metrics
    assert set(grouped) <= columns
    assert params["viz_type"] == chart["viz_type"]


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_follows_the_time_range_when_the_dashboard_has_one(name: str) -> None:
    chart = CHARTS[name]
    dataset = DATASETS_BY_ID[chart["dataset_uuid"]]
    spans = {
        meta["uuid"]: read_default_span(board)
        for board in DASHBOARDS.values()
        for meta in list_placed(board)
    }
    filters = [key for key in chart["params"] if key.startswith("adhoc_filters")]
    assert filters
    for key in filters:
        (temporal,) = [one for one in chart["params"][key] if one["operator"] == "TEMPORAL_RANGE"]
        assert temporal["subject"] == dataset["main_dttm_col"]
        # What is told once an hour, or is a state, is not bound to the dashboard's span.
        assert temporal["comparator"] in (spans[chart["uuid"]], LAST_DAY, "No filter")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_titled_as_its_question_when_it_is_read(name: str) -> None:
    assert CHARTS[name]["slice_name"].endswith("?")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_an_exposure_tells_what_a_dashboard_reads_when_models_change(name: str) -> None:
    file = REPOSITORY / "dbt/models/exposures.yml"
    exposures = {one["name"]: one for one in yaml.safe_load(file.read_text())["exposures"]}
    assert exposures.keys() == DASHBOARDS.keys()
    charts = {chart["uuid"]: chart for chart in CHARTS.values()}
    drawn = {charts[meta["uuid"]]["dataset_uuid"] for meta in list_placed(DASHBOARDS[name])}
    offered = {target["datasetUuid"] for _, target in list_filter_targets(DASHBOARDS[name])}
    read = {DATASETS_BY_ID[uuid]["table_name"] for uuid in drawn | offered}
    told = {one.removeprefix("ref('").removesuffix("')") for one in exposures[name]["depends_on"]}
    assert told == read
    assert DASHBOARDS[name]["slug"] in exposures[name]["url"]


def test_the_dashboard_holds_every_chart_once_when_it_is_opened() -> None:
    placed = [meta for board in DASHBOARDS.values() for meta in list_placed(board)]
    titles = {chart["uuid"]: chart["slice_name"] for chart in CHARTS.values()}
    assert {meta["uuid"]: meta["sliceName"] for meta in placed} == titles
    assert len(placed) == len(titles)
    assert len({meta["chartId"] for meta in placed}) == len(placed)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboards_parts_hang_together_when_it_is_opened(name: str) -> None:
    position = DASHBOARDS[name]["position"]
    parts = {key: part for key, part in position.items() if isinstance(part, dict)}
    children = [child for part in parts.values() for child in part.get("children", [])]
    assert set(children) | {"ROOT_ID", "HEADER_ID"} == parts.keys()
    for part in parts.values():
        if part["type"] == "ROW":
            assert sum(parts[child]["meta"]["width"] for child in part["children"]) == 12


def test_the_last_hour_is_ten_seconds_fresh_when_it_is_left_open() -> None:
    metadata = DASHBOARDS["last_hour"]["metadata"]
    (time_filter,) = [
        one for one in metadata["native_filter_configuration"] if one["filterType"] == "filter_time"
    ]
    assert metadata["refresh_frequency"] == 10
    assert time_filter["defaultDataMask"]["extraFormData"]["time_range"] == LAST_HOUR


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_filters_columns_exist_when_it_is_used(name: str) -> None:
    targets = list_filter_targets(DASHBOARDS[name])
    assert targets
    for _, target in targets:
        columns = DATASETS_BY_ID[target["datasetUuid"]]["columns"]
        assert target["column"]["name"] in {column["column_name"] for column in columns}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_filter_does_not_read_all_history_when_it_lists_its_values(name: str) -> None:
    """Unless it has a row an hour."""
    for one, target in list_filter_targets(DASHBOARDS[name]):
        dataset = DATASETS_BY_ID[target["datasetUuid"]]
        if not dataset["table_name"].endswith("_hourly"):
            assert one["granularity_sqla"] == dataset["main_dttm_col"]
            assert one["time_range"] == read_default_span(DASHBOARDS[name])


def test_nothing_says_where_the_lake_is_when_assets_are_read() -> None:
    text = "".join(file.read_text() for file in sorted(ASSETS.rglob("*.yaml")))
    assert not re.search(r"localhost|\d+\.\d+\.\d+\.\d+|password\s*:", text)
    assert {name: database["sqlalchemy_uri"] for name, database in DATABASES.items()} == {
        "lake": "trino://dashboard@from-environment/lake",
        "lake_sql": "trino://analyst@from-environment/lake",
    }


def test_charts_read_as_the_dashboard_user_when_they_are_drawn() -> None:
    read = {dataset["database_uuid"] for dataset in DATASETS.values()}
    assert read == {DATABASES["lake"]["uuid"]}
    assert not DATABASES["lake"]["expose_in_sqllab"]


def test_no_dml_is_allowed_when_sql_is_typed() -> None:
    for database in DATABASES.values():
        assert not any(
            database[key] for key in ("allow_dml", "allow_ctas", "allow_cvas", "allow_csv_upload")
        )


def test_every_variable_is_provided_when_superset_starts(
    settings: Settings, secrets: Secrets
) -> None:
    text = (SUPERSET / "superset_config.py").read_text() + (SUPERSET / "provision.py").read_text()
    used = set(re.findall(r'environ\["(\w+)"\](?! =)', text))
    assert used
    assert used <= superset_environment(settings, secrets).keys()
