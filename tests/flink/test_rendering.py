"""Rendering is strict, and the real SQL files pass it."""

import re
from pathlib import Path

import pytest

from configuration.errors import TemplateError
from flink_jobs.rendering import SQL_FOLDER, render_folder

INSERTS = [file for file in sorted(SQL_FOLDER.iterdir()) if "\ninsert into" in file.read_text()]


def _write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def test_statements_are_ordered_by_file_number(tmp_path: Path) -> None:
    _write(tmp_path, "02_second.sql", "-- why\ninsert into t select ${value}")
    _write(tmp_path, "01_first.sql", "create table t (x int)")
    first, second = render_folder({"value": 7}, tmp_path)
    assert (first.name, first.is_insert) == ("first", False)
    assert (second.name, second.is_insert) == ("second", True)
    assert second.text.endswith("select 7")


def test_a_bare_query_defines_a_view(tmp_path: Path) -> None:
    _write(tmp_path, "01_it.sql", "-- insert nothing\n\nselect 1")
    [statement] = render_folder({}, tmp_path)
    assert (statement.name, statement.is_query, statement.is_insert) == ("it", True, False)


def test_rendering_fails_when_a_variable_is_unknown(tmp_path: Path) -> None:
    _write(tmp_path, "01_it.sql", "select ${nothing}")
    with pytest.raises(TemplateError, match=r"01_it\.sql: unknown variable nothing"):
        render_folder({}, tmp_path)


def test_rendering_fails_when_a_variable_is_unused(tmp_path: Path) -> None:
    _write(tmp_path, "01_it.sql", "select 1")
    with pytest.raises(TemplateError, match="nothing uses idle"):
        render_folder({"idle": 1}, tmp_path)


def test_rendering_fails_when_a_dollar_starts_no_variable(tmp_path: Path) -> None:
    _write(tmp_path, "01_it.sql", "select '$ 5'")
    with pytest.raises(TemplateError, match=r"write \$\$"):
        render_folder({}, tmp_path)


def test_rendering_fails_when_a_file_has_no_number(tmp_path: Path) -> None:
    _write(tmp_path, "it.sql", "select 1")
    with pytest.raises(TemplateError, match="must be a number"):
        render_folder({}, tmp_path)


@pytest.mark.parametrize("file", INSERTS, ids=lambda file: file.stem)
def test_inserts_select_the_columns_that_they_name_in_that_order(file: Path) -> None:
    """Both lists are written down, and Flink matches them by position."""
    [(named, selected)] = re.findall(
        r"^insert into \S+ \(\n(.*?)\n\)\nselect\n(.*?)\nfrom ", file.read_text(), re.M | re.S
    )
    aliases = [re.sub(r"^.* as (?=\w+$)", "", column) for column in _columns(selected)]
    assert aliases == _columns(named)


def _columns(text: str) -> list[str]:
    return [line.strip().rstrip(",") for line in text.splitlines()]
