"""The dbt project without a warehouse: it parses, describes everything, and keeps its rules."""

import hashlib
import re
from collections import Counter
from typing import Any

import pytest
import yaml

from configuration import REPOSITORY
from configuration.environment import dbt_environment
from configuration.secrets import Secrets
from configuration.settings import Settings
from infra.operations.reference import MARTS_FILE, render_marts

DBT = REPOSITORY / "dbt"
MODELS = sorted((DBT / "models").rglob("*.sql"))
# Folders of the models in the schema `marts`: incremental tables and live views.
MARTS = ("marts", "live")
# Marts that merge the stream's rows. Not audit_runs: the audits write it, and no view computes it.
INCREMENTAL = [file.stem for file in MODELS if "unique_key=" in file.read_text()]
# dbt/macros/merge.sql was written against this text: dbt-trino 1.11.0,
# macros/materializations/incremental.sql, trino__get_merge_sql.
MERGE_SHA256 = "bb5393098bc1caed4d32db5f25d4d0be8de80c1d5c4a9a0026784cc2822114c3"


def find_model(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = manifest["nodes"][f"model.tributary.{name}"]
    return found


def read_output_columns(sql: str) -> list[str] | None:
    """Columns of the last explicit select list of a model; None if the model only selects stars."""
    lists = re.findall(r"^( *)select\n(.*?)\n\1from ", sql, re.DOTALL | re.MULTILINE)
    lists = [body for _, body in lists if body.strip() != "*"]
    if not lists:
        return None
    items = re.split(r",\n", re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", lists[-1])))
    return [re.findall(r"\w+", item)[-1] for item in items]


def test_every_env_var_of_dbt_has_a_value(settings: Settings, secrets: Secrets) -> None:
    text = "".join(
        file.read_text() for kind in ("*.yml", "*.sql") for file in sorted(DBT.rglob(kind))
    )
    used = set(re.findall(r"env_var\('(\w+)'\)", text))
    assert used
    assert used <= dbt_environment(settings, secrets).keys()


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_every_model_and_column_is_described(file: Any, manifest: dict[str, Any]) -> None:
    model = find_model(manifest, file.stem)
    columns = model["columns"].values()
    assert file.with_suffix(".yml").is_file(), "one .sql and one .yml per model"
    assert model["description"].strip()
    assert columns
    assert [column["name"] for column in columns if not column["description"].strip()] == []
    written = read_output_columns(file.read_text())
    if written is not None:
        assert [column["name"] for column in columns] == written


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_header_of_a_model_gives_its_grain(file: Any) -> None:
    assert file.read_text().startswith("-- Grain: ")


def test_models_land_in_the_schemas_of_their_folders(manifest: dict[str, Any]) -> None:
    expected = {
        "staging": "staging",
        "intermediate": "staging",
        "marts": "marts",
        "live": "marts",
    }
    schemas = {file.stem: find_model(manifest, file.stem)["schema"] for file in MODELS}
    assert schemas == {file.stem: expected[file.parent.name] for file in MODELS}


def test_marts_enforce_their_contracts(manifest: dict[str, Any]) -> None:
    marts = [file.stem for file in MODELS if file.parent.name in MARTS]
    without = [name for name in marts if not find_model(manifest, name)["contract"]["enforced"]]
    assert without == []


@pytest.mark.parametrize("name", INCREMENTAL)
def test_incremental_marts_test_their_history_and_grain(
    name: str, manifest: dict[str, Any]
) -> None:
    model = find_model(manifest, name)
    tests = [
        node["test_metadata"]["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and node["attached_node"] == model["unique_id"]
    ]
    assert model["config"]["materialized"] == "incremental"
    assert model["config"]["incremental_strategy"] == "merge"
    assert model["config"]["on_schema_change"] == "fail"
    assert "equals_full_refresh" in tests
    assert {"unique", "unique_together"} & set(tests), "its grain is tested"


@pytest.mark.parametrize("name", INCREMENTAL)
def test_incremental_marts_have_the_column_order_of_their_views(
    name: str, manifest: dict[str, Any]
) -> None:
    model = find_model(manifest, name)
    [full_refresh] = [
        node["test_metadata"]["kwargs"]["full_refresh"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and node["attached_node"] == model["unique_id"]
        and node["test_metadata"]["name"] == "equals_full_refresh"
    ]
    [view] = re.findall(r"ref\('(\w+)'\)", full_refresh)
    assert list(model["columns"]) == list(find_model(manifest, view)["columns"])


def test_sources_with_a_steady_flow_check_freshness(manifest: dict[str, Any]) -> None:
    checked = {
        source["name"]
        for source in manifest["sources"].values()
        if source["freshness"] and source["freshness"]["error_after"]["count"]
    }
    assert checked == {
        "clickstream",
        "checkouts",
        "attributed_checkouts",
        "users_changes",
        "products_changes",
        "ad_spend_changes",
    }


def test_only_staging_reads_sources(manifest: dict[str, Any]) -> None:
    readers = {
        file.stem
        for file in MODELS
        if any(
            node.startswith("source.")
            for node in find_model(manifest, file.stem)["depends_on"]["nodes"]
        )
    }
    assert readers == {file.stem for file in MODELS if file.parent.name == "staging"}


def test_upgrade_renames_hours_of_marts_that_have_one(manifest: dict[str, Any]) -> None:
    text = (DBT / "macros/upgrades.sql").read_text()
    renamed = dict(re.findall(r"'(\w+)': '(\w+_hour)'", text))
    marts = [file.stem for file in MODELS if file.parent.name in MARTS]
    with_hour = {name for name in marts if "event_hour" in find_model(manifest, name)["columns"]}
    assert renamed.keys() <= with_hour
    assert set(renamed.values()) == {"checkout_hour", "activity_hour"}


def test_lock_is_asked_for_before_the_upgrades_and_both_before_the_models(
    manifest: dict[str, Any],
) -> None:
    hooks = [node for key, node in manifest["nodes"].items() if key.startswith("operation.")]
    assert all("on-run-start" in hook["tags"] for hook in hooks)
    hooks.sort(key=lambda hook: hook["index"])
    assert [macro for hook in hooks for macro in hook["depends_on"]["macros"]] == [
        "macro.tributary.refuse_without_lock",
        "macro.tributary.rename_hours_of_marts",
        "macro.tributary.partition_marts",
    ]


def test_marts_call_their_hour_event_hour(manifest: dict[str, Any]) -> None:
    marts = [file.stem for file in MODELS if file.parent.name in MARTS]
    hours = {
        column
        for name in marts
        for column in find_model(manifest, name)["columns"]
        if column.endswith("_hour")
    }
    assert hours == {"event_hour"}


def test_upstream_merge_is_the_text_that_our_merge_patches(manifest: dict[str, Any]) -> None:
    upstream = manifest["macros"]["macro.dbt_trino.trino__get_merge_sql"]
    digest = hashlib.sha256(upstream["macro_sql"].encode()).hexdigest()
    assert digest == MERGE_SHA256, (
        f"dbt-trino changed the macro {upstream['name']} ({upstream['original_file_path']}), which"
        " dbt/macros/merge.sql patches. Read its new text. If it still has a single 'when matched"
        " then update' that sees every matched row, run tests/e2e/test_restatement.py and set"
        f" MERGE_SHA256 to {digest}. Otherwise adapt dbt/macros/merge.sql first."
    )


def test_repeated_column_descriptions_are_doc_blocks(manifest: dict[str, Any]) -> None:
    inline = Counter(
        column["description"]
        for file in MODELS
        for column in find_model(manifest, file.stem)["columns"].values()
        if not column["doc_blocks"]
    )
    assert [text for text, count in inline.items() if count > 1] == []


def test_every_attribution_model_has_its_weights(manifest: dict[str, Any]) -> None:
    variables = yaml.safe_load((DBT / "dbt_project.yml").read_text())["vars"]
    models = {*variables["rule_models"], *variables["learnt_models"]}
    macros = {key.removeprefix("macro.tributary.weights_of_") for key in manifest["macros"]}
    assert models - macros == set()
    columns = find_model(manifest, "int_source_weights_by_day")["columns"]
    weights = {name.removesuffix("_weights") for name in columns if name.endswith("_weights")}
    assert weights == set(variables["learnt_models"])


def test_page_of_the_marts_matches_the_models(manifest: dict[str, Any]) -> None:
    assert MARTS_FILE.read_text() == render_marts(manifest), "run `make reference`"
