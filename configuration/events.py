"""The contract of the event topics, read from events.toml.

All code that lists an event's fields is generated from this contract or checked against it.
"""

from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Field as Limit
from pydantic import model_validator

from configuration import REPOSITORY
from configuration.settings import Contract, Name, Section, read_section

EVENTS_FILE = REPOSITORY / "configuration/events.toml"
EVENT_TIME = "event_time"

FieldName = Annotated[str, Limit(pattern=r"^[a-z][a-z0-9_]*$")]
FieldType = Literal["id", "label", "text", "int32", "int64", "double", "usd", "share", "event_time"]
TEXTS = ("id", "label", "text")
NUMBERS = ("int32", "double")


class Field(Section):
    """One field of a message."""

    type: FieldType
    meaning: str
    required: bool = False
    one_of: Literal["event_types", "payment_methods", "payment_statuses"] | None = None
    max_length: Annotated[int, Limit(gt=0)] | None = None
    at_least: int | None = None
    at_most: int | None = None

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        if self.one_of and self.type != "text":
            raise ValueError(
                f"one_of = {self.one_of}: only allowed if type is text, not {self.type}; remove it"
            )
        for name, types in (("max_length", TEXTS), ("at_least", NUMBERS), ("at_most", NUMBERS)):
            value = getattr(self, name)
            if value is not None and self.type not in types:
                raise ValueError(
                    f"{name} = {value}: only allowed if type is {' or '.join(types)}, not"
                    f" {self.type}; remove it"
                )
        if self.type in TEXTS and not self.one_of and self.max_length is None:
            raise ValueError(f"max_length: missing, and type is {self.type}; add it")
        return self

    def allowed_values(self, contract: Contract) -> tuple[Name, ...]:
        """Return the allowed values; empty if any value is allowed."""
        values: tuple[Name, ...] = getattr(contract, self.one_of) if self.one_of else ()
        return values


class Event(Section):
    """The messages of one topic, and the table that holds the valid ones."""

    table: str
    meaning: str
    fields: dict[FieldName, Field]

    @property
    def columns(self) -> dict[str, Field]:
        """Fields that are columns as they were sent: all but the event time."""
        return {name: field for name, field in self.fields.items() if field.type != EVENT_TIME}


class Events(Section):
    """The contracts of both event topics."""

    clickstream: Event
    checkouts: Event

    @model_validator(mode="after")
    def _shared_fields_are_equal(self) -> Self:
        """Check shared names: the job reads both topics as one table, so a name has one type."""
        ours, theirs = self.clickstream.fields, self.checkouts.fields
        for name in ours.keys() & theirs.keys():
            if ours[name].type != theirs[name].type:
                raise ValueError(
                    f"{name} is {ours[name].type} in clickstream and {theirs[name].type} in"
                    " checkouts: a name has one type; rename one of them"
                )
        return self

    @property
    def fields(self) -> dict[str, Field]:
        """All fields of both topics; shared fields appear once."""
        return {**self.clickstream.fields, **self.checkouts.fields}


@cache
def load_events() -> Events:
    """Read the contract.

    Raises:
        SettingsError: events.toml is invalid. The message names the file, the key, the value and
            the remedy.
    """
    return read_section(Events, EVENTS_FILE)
