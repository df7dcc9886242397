"""Superset's files: complete, consistent with the marts, without an address or a password."""

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
# Charts that draw on a canvas, or show one number.
DRAWN = {
    "big_number_total",
    "echarts_timeseries_bar",
    "mixed_timeseries",
    "pie",
    "sankey_v2",
}
TABLES = {"table", "pivot_table_v2"}
LAST_DAY = 'DATEADD(DATETIME("now"), -1, day) : now'


def read_assets(kind: str) -> dict[str, dict[str, Any]]:
    """The files of one kind, by file name."""
    files = sorted((ASSETS / kind).rglob("*.yaml"))
    return {file.stem: yaml.safe_load(file.read_text()) for file in files}


DATABASES = read_assets("databases")
DATASETS = read_assets("datasets")
CHARTS = read_assets("charts")
DASHBOARDS = read_assets("dashboards")
DATASETS_BY_ID = {dataset["uuid"]: dataset for dataset in DATASETS.values()}


def read_default_span(dashboard: dict[str, Any]) -> str:
    """The time range that a dashboard opens with."""
    filters = dashboard["metadata"]["native_filter_configuration"]
    [span] = [
        one["defaultDataMask"]["extraFormData"]["time_range"]
        for one in filters
        if one["filterType"] == "filter_time"
    ]
    return str(span)


def list_filter_targets(dashboard: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each native filter that lists values, with the column that they come from."""
    filters = dashboard["metadata"]["native_filter_configuration"]
    return [(one, target) for one in filters for target in one["targets"] if target]


def list_placed(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [part for part in dashboard["position"].values() if isinstance(part, dict)]
    return [part["meta"] for part in parts if part["type"] == "CHART"]


def test_uuids_of_assets_are_unique() -> None:
    every = [*DATABASES.values(), *DATASETS.values(), *CHARTS.values(), *DASHBOARDS.values()]
    counts = Counter(asset["uuid"] for asset in every)
    assert [uuid for uuid, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_matches_the_contract_of_its_mart(name: str) -> None:
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
def test_a_chart_uses_metrics_and_columns_of_its_dataset(name: str) -> None:
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
def test_a_chart_follows_the_time_range_of_its_dashboard(name: str) -> None:
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
        # Datasets that change once an hour, or show a state, may use another time range.
        assert temporal["comparator"] in (spans[chart["uuid"]], LAST_DAY, "No filter")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_shows_the_text_of_an_event_as_text(name: str) -> None:
    """By default, tables render what looks like HTML, such as a link in the name of a source."""
    chart = CHARTS[name]
    assert chart["viz_type"] in DRAWN | TABLES, "find out whether this kind of chart renders HTML"
    assert chart["viz_type"] in DRAWN or chart["params"]["allow_render_html"] is False


@pytest.mark.parametrize("name", CHARTS)
def test_the_title_of_a_chart_is_a_question(name: str) -> None:
    assert CHARTS[name]["slice_name"].endswith("?")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_exposures_list_what_each_dashboard_reads(name: str) -> None:
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


def test_dashboards_hold_every_chart_once() -> None:
    placed = [meta for board in DASHBOARDS.values() for meta in list_placed(board)]
    titles = {chart["uuid"]: chart["slice_name"] for chart in CHARTS.values()}
    assert {meta["uuid"]: meta["sliceName"] for meta in placed} == titles
    assert len(placed) == len(titles)
    assert len({meta["chartId"] for meta in placed}) == len(placed)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_layout_of_a_dashboard_is_complete(name: str) -> None:
    position = DASHBOARDS[name]["position"]
    parts = {key: part for key, part in position.items() if isinstance(part, dict)}
    children = [child for part in parts.values() for child in part.get("children", [])]
    assert set(children) | {"ROOT_ID", "HEADER_ID"} == parts.keys()
    for part in parts.values():
        if part["type"] == "ROW":
            assert sum(parts[child]["meta"]["width"] for child in part["children"]) == 12


def test_the_last_hour_refreshes_every_ten_seconds() -> None:
    metadata = DASHBOARDS["last_hour"]["metadata"]
    (time_filter,) = [
        one for one in metadata["native_filter_configuration"] if one["filterType"] == "filter_time"
    ]
    assert metadata["refresh_frequency"] == 10
    assert time_filter["defaultDataMask"]["extraFormData"]["time_range"] == LAST_HOUR


@pytest.mark.parametrize("name", DASHBOARDS)
def test_native_filters_use_existing_columns(name: str) -> None:
    targets = list_filter_targets(DASHBOARDS[name])
    assert targets
    for _, target in targets:
        columns = DATASETS_BY_ID[target["datasetUuid"]]["columns"]
        assert target["column"]["name"] in {column["column_name"] for column in columns}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_native_filters_do_not_read_all_history(name: str) -> None:
    """Except on an hourly mart, which is small."""
    for one, target in list_filter_targets(DASHBOARDS[name]):
        dataset = DATASETS_BY_ID[target["datasetUuid"]]
        if not dataset["table_name"].endswith("_hourly"):
            assert one["granularity_sqla"] == dataset["main_dttm_col"]
            assert one["time_range"] == read_default_span(DASHBOARDS[name])


def test_assets_contain_no_address_and_no_password() -> None:
    text = "".join(file.read_text() for file in sorted(ASSETS.rglob("*.yaml")))
    assert not re.search(r"localhost|\d+\.\d+\.\d+\.\d+|password\s*:", text)
    assert {name: database["sqlalchemy_uri"] for name, database in DATABASES.items()} == {
        "lake": "trino://dashboard@from-environment/lake",
        "lake_sql": "trino://analyst@from-environment/lake",
    }


def test_charts_read_as_the_dashboard_user() -> None:
    read = {dataset["database_uuid"] for dataset in DATASETS.values()}
    assert read == {DATABASES["lake"]["uuid"]}
    assert not DATABASES["lake"]["expose_in_sqllab"]


@pytest.mark.parametrize("name", ["GUEST_TOKEN_JWT_SECRET", "GLOBAL_ASYNC_QUERIES_JWT_SECRET"])
def test_no_secret_is_the_one_that_superset_publishes(name: str) -> None:
    config = (SUPERSET / "superset_config.py").read_text()
    assert f"\n{name} = secrets.token_hex()\n" in config


def test_connections_allow_no_writes() -> None:
    for database in DATABASES.values():
        assert not any(
            database[key] for key in ("allow_dml", "allow_ctas", "allow_cvas", "allow_csv_upload")
        )


def test_every_environment_variable_of_superset_has_a_value(
    settings: Settings, secrets: Secrets
) -> None:
    text = (SUPERSET / "superset_config.py").read_text() + (SUPERSET / "provision.py").read_text()
    used = set(re.findall(r'environ\["(\w+)"\](?! =)', text))
    assert used
    assert used <= superset_environment(settings, secrets).keys()
