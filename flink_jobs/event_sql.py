"""The event contract (configuration/events.toml) as variables of the SQL files.

There are lists of columns for Flink's SQL, and for each topic the checks that Contract.java reads.
"""

from collections.abc import Mapping

from configuration.events import Event, Field, load_events
from configuration.settings import Contract

FLINK_TYPES = {
    "id": "string",
    "label": "string",
    "text": "string",
    "int32": "int",
    "int64": "bigint",
    "double": "double",
    "usd": "decimal(12, 2)",
    "share": "decimal(5, 4)",
    "event_time": "bigint",
}
# The check that every field of a type gets, by its name in Check.java.
CHECKS_OF_TYPES = {"usd": "not-negative", "share": "share", "event_time": "event-time"}
SEPARATOR = ",\n    "


def event_variables(contract: Contract) -> dict[str, str]:
    """The columns and contracts that the SQL files refer to, by variable name."""
    events = load_events()
    return {
        "event_fields": _typed(events.fields),
        "clickstream_fields": _typed(events.clickstream.columns),
        "checkouts_fields": _typed(events.checkouts.columns),
        "clickstream_columns": SEPARATOR.join(events.clickstream.columns),
        "checkouts_columns": SEPARATOR.join(events.checkouts.columns),
        "clickstream_contract": describe_contract(events.clickstream, contract),
        "checkouts_contract": describe_contract(events.checkouts, contract),
    }


def _typed(fields: Mapping[str, Field]) -> str:
    """The columns with their types, as in a definition of a table."""
    return SEPARATOR.join(f"{name} {FLINK_TYPES[field.type]}" for name, field in fields.items())


def describe_contract(event: Event, contract: Contract) -> str:
    """The contract in the syntax of Contract.java.

    A field is `name required|optional [check]`; `;` separates fields.
    """
    return "; ".join(
        " ".join([name, "required" if field.required else "optional", *_checks(field, contract)])
        for name, field in event.fields.items()
    )


def _checks(field: Field, contract: Contract) -> list[str]:
    if field.one_of:
        return [f"one-of={','.join(field.allowed_values(contract))}"]
    if field.max_length is not None:
        return [f"{field.type}={field.max_length}"]
    if field.at_least is not None or field.at_most is not None:
        return [f"between={_bound(field.at_least)},{_bound(field.at_most)}"]
    return [CHECKS_OF_TYPES[field.type]] if field.type in CHECKS_OF_TYPES else []


def _bound(limit: int | None) -> str:
    return "" if limit is None else str(limit)
