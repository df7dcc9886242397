"""Values as SQL, the same for Flink and Trino."""

from collections.abc import Sequence


def sql_literal(value: int | str) -> str:
    """The value as a literal."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def sql_list(values: Sequence[int | str]) -> str:
    """The values as literals between commas, for `in (...)`."""
    return ", ".join(map(sql_literal, values))


def is_none_of(column: str, values: Sequence[int | str]) -> str:
    """The condition that a column has none of these values."""
    return f"{column} not in ({sql_list(values)})" if values else "true"
