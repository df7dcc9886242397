"""`make reference`: write the reference pages that are generated from the contracts.

- docs/events.md and docs/events/*.schema.json: what a message may hold, from events.toml;
- docs/tables.md: every table that the job writes, from lake_tables.py;
- docs/marts.md: every mart and live view, from the contracts of the dbt models.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from configuration import REPOSITORY
from configuration.environment import dbt_environment
from configuration.events import Event, Field, load_events
from configuration.secrets import Secrets
from configuration.settings import Contract, Settings, load_settings
from configuration.templates import render
from flink_jobs.lake_tables import TABLES, LakeTable
from infra.install.commands import run_quietly
from infra.services.marts import find_dbt

DOCS = REPOSITORY / "docs"
EVENTS_TEMPLATE = DOCS / "events/template.md"
TABLES_HEADER = """\
# Tables

Made by `make reference` from `flink_jobs/lake_tables.py` and `configuration/events.toml`.
The job writes these Iceberg tables. Each only grows, and each row is written exactly once. A column
marked "always" has a value in each row. Times are UTC. What dbt makes of it: [marts.md](marts.md).
"""
MARTS_FILE = DOCS / "marts.md"
MARTS_HEADER = """\
# Marts

Made by `make reference` from the `.yml` files of `dbt/models`. dbt enforces the types. A column
marked "always" is never null. Times are UTC. `make docs` serves dbt's own pages, with lineage.
"""
# No control characters or line separators, and no white space at the ends.
LABEL = r"^(?!\s)[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$(?<!\s)"
JSON_TYPES: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "minLength": 1, "pattern": LABEL},
    "label": {"type": "string", "pattern": LABEL},
    "text": {"type": "string"},
    "int32": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "double": {"type": "number"},
    "usd": {"type": "number", "minimum": 0, "exclusiveMaximum": 10**10},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "event_time": {"type": "integer", "minimum": 946_684_800_000},
}
# As text, because JSON Schema validators compute `multipleOf` in binary floating point, where 19.99
# is not a multiple of 0.01.
DECIMALS = {"usd": " At most 2 decimals.", "share": " At most 4 decimals."}
TYPES_IN_WORDS = {
    "id": "id",
    "label": "label",
    "text": "string",
    "int32": "integer, 32 bit",
    "int64": "integer, 64 bit",
    "double": "number",
    "usd": "number, at least 0, at most 2 decimals",
    "share": "number, 0 to 1, at most 4 decimals",
    "event_time": "integer, milliseconds since 1970 (UTC)",
}


def write_pages() -> None:
    """Write every page."""
    pages = {**render_pages(), MARTS_FILE: render_marts(read_manifest(load_settings()))}
    for file, text in pages.items():
        file.write_text(text)


def read_manifest(settings: Settings) -> dict[str, Any]:
    """What dbt knows of the project. Needs dbt, but neither Trino nor its passwords.

    Raises:
        CommandError: with dbt's own words.
    """
    secrets = Secrets(**dict.fromkeys(Secrets.model_fields, "not needed"))
    with TemporaryDirectory() as target:
        run_quietly(
            [str(find_dbt(settings)), "--warn-error", "parse"],
            cwd=REPOSITORY,
            env={
                "PATH": os.defpath,
                **dbt_environment(settings, secrets),
                "DBT_TARGET_PATH": target,
                "DBT_LOG_PATH": target,
            },
        )
        manifest: dict[str, Any] = json.loads(Path(target, "manifest.json").read_text())
    return manifest


def render_marts(manifest: Mapping[str, Any]) -> str:
    """The page of the marts, tables first, each by name."""
    models = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    ]
    models.sort(key=lambda node: (node["config"]["materialized"] == "view", node["name"]))
    return "\n".join([MARTS_HEADER, *map(_render_mart, models)])


def _render_mart(model: Mapping[str, Any]) -> str:
    kind = "A view." if model["config"]["materialized"] == "view" else "A table."
    rows = (
        (name, column["data_type"], _is_never_null(column), _one_line(column))
        for name, column in model["columns"].items()
    )
    return _render_columns(f"marts.{model['name']}", f"{_one_line(model)} {kind}", rows)


def _is_never_null(column: Mapping[str, Any]) -> bool:
    return any(each["type"] == "not_null" for each in column["constraints"])


def _one_line(described: Mapping[str, Any]) -> str:
    return " ".join(described["description"].split()).replace("|", "\\|")


def render_pages() -> dict[Path, str]:
    """Return the text of each page, by its file."""
    contract = load_settings().pipeline.contract
    events = load_events()
    topics = {"clickstream": events.clickstream, "checkouts": events.checkouts}
    fields = {f"{name}_fields": _render_fields(event, contract) for name, event in topics.items()}
    page = render(EVENTS_TEMPLATE, {**fields, "max_future_seconds": contract.max_future_seconds})
    return {
        DOCS / "events.md": page,
        DOCS / "tables.md": "\n".join([TABLES_HEADER, *map(_render_table, TABLES)]),
        **{
            DOCS / f"events/{name}.schema.json": _render_schema(name, event, contract)
            for name, event in topics.items()
        },
    }


def _render_fields(event: Event, contract: Contract) -> str:
    rows = (
        f"| `{name}` | {_describe_type(field, contract)} | {'yes' if field.required else 'no'} |"
        f" {field.meaning} |"
        for name, field in event.fields.items()
    )
    return "\n".join(["| field | type | required | meaning |", "|---|---|---|---|", *rows])


def _describe_type(field: Field, contract: Contract) -> str:
    if values := field.allowed_values(contract):
        return "one of " + ", ".join(f"`{value}`" for value in values)
    limits = (
        ("at most {} characters", field.max_length),
        ("at least {}", field.at_least),
        ("at most {}", field.at_most),
    )
    words = [text.format(f"{limit:,}") for text, limit in limits if limit is not None]
    return ", ".join([TYPES_IN_WORDS[field.type], *words])


def _render_schema(name: str, event: Event, contract: Contract) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "description": event.meaning,
        "type": "object",
        "required": [name for name, field in event.fields.items() if field.required],
        "properties": {
            name: _describe_property(field, contract) for name, field in event.fields.items()
        },
    }
    return json.dumps(schema, indent=2) + "\n"


def _describe_property(field: Field, contract: Contract) -> dict[str, Any]:
    described = {
        "description": f"{field.meaning}{DECIMALS.get(field.type, '')}",
        **JSON_TYPES[field.type],
    }
    if values := field.allowed_values(contract):
        described["enum"] = list(values)
    limits = (
        ("maxLength", field.max_length),
        ("minimum", field.at_least),
        ("maximum", field.at_most),
    )
    described |= {key: limit for key, limit in limits if limit is not None}
    return described if field.required else {**described, "type": [described["type"], "null"]}


def _render_table(table: LakeTable) -> str:
    partition = f"the {table.partition_unit} of `{table.arrival_column}`"
    rows = (
        (
            column.name,
            "list of touchpoints" if column.name == "touchpoints" else str(column.type),
            column.is_required,
            column.meaning,
        )
        for column in table.columns
    )
    return _render_columns(table.name, f"{table.meaning} Partitioned by {partition}.", rows)


def _render_columns(name: str, meaning: str, rows: Iterable[tuple[str, str, bool, str]]) -> str:
    """A section with a row for each column: name, type, whether it is never null, meaning."""
    lines = (
        f"| `{column}` | {type_} | {'yes' if is_never_null else ''} | {text} |"
        for column, type_, is_never_null, text in rows
    )
    head = [f"## `{name}`", "", meaning, "", "| column | type | always | meaning |"]
    return "\n".join([*head, "|---|---|---|---|", *lines]) + "\n"


if __name__ == "__main__":
    write_pages()
