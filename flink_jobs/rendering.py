"""Render SQL files into statements: fill in the values of their `${variables}`.

An unknown variable is an error. So is a variable that no file uses: otherwise a setting without
effect would go unnoticed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from configuration.errors import TributaryError

SQL_FOLDER = Path(__file__).resolve().parent / "sql"
_NUMBERED = re.compile(r"\d+_(?P<name>\w+)\.sql")


class RenderingError(TributaryError):
    """A SQL file is misnamed, or does not match the variables that it gets."""


@dataclass(frozen=True)
class Statement:
    """One rendered statement; `name` is its file's name without number and suffix."""

    name: str
    text: str

    @property
    def is_insert(self) -> bool:
        """Whether it is an insert of the statement set, not the definition of a table or view."""
        code = [line for line in self.text.splitlines() if not line.startswith("--")]
        return "\n".join(code).lstrip().lower().startswith("insert")


def render_folder(variables: Mapping[str, str | int], folder: Path = SQL_FOLDER) -> list[Statement]:
    """All statements of a folder, in the order of the files' numbers.

    Raises:
        RenderingError: a file uses an unknown variable, no file uses one of `variables`, or a
            file's name or a `$` in it is malformed.
    """
    values = {name: str(value) for name, value in variables.items()}
    used: set[str] = set()
    statements = [_render(file, values, used) for file in sorted(folder.glob("*.sql"))]
    if unused := sorted(set(values) - used):
        raise RenderingError(f"{folder}: nothing uses {', '.join(unused)}; use it or remove it")
    return statements


def names_used(folder: Path) -> set[str]:
    """The variables that the SQL files of a folder refer to."""
    texts = [Template(file.read_text()) for file in folder.glob("*.sql")]
    return {name for text in texts for name in text.get_identifiers()}


def _name(file: Path) -> str:
    match = _NUMBERED.fullmatch(file.name)
    if match is None:
        raise RenderingError(f"{file}: its name must be a number, `_`, a name and `.sql`")
    return match["name"]


def _render(file: Path, values: Mapping[str, str], used: set[str]) -> Statement:
    """Render one file, and add the names of its variables to `used`."""
    template = Template(file.read_text())
    if not template.is_valid():
        raise RenderingError(f"{file}: a $ does not start a ${{variable}}; write $$ for a plain $")
    names = set(template.get_identifiers())
    if unknown := sorted(names - set(values)):
        raise RenderingError(
            f"{file}: unknown variable {', '.join(unknown)}; correct it or define it"
        )
    used |= names
    return Statement(_name(file), template.substitute(values).strip())
