"""Rendering: SQL files and the values of their `${variables}` in, statements out.

Rendering is strict: an unknown variable is an error, and so is one that nothing uses, so that a
setting without effect can't go unnoticed.
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
    """A template and its variables do not fit each other."""


@dataclass(frozen=True)
class Statement:
    """One rendered statement; `name` is its file's, without number and suffix."""

    name: str
    text: str

    @property
    def is_insert(self) -> bool:
        """Whether it belongs to the statement set, rather than to what that set reads."""
        code = [line for line in self.text.splitlines() if not line.startswith("--")]
        return "\n".join(code).lstrip().lower().startswith("insert")


def render_folder(variables: Mapping[str, str | int], folder: Path = SQL_FOLDER) -> list[Statement]:
    """All statements of a folder in the order of their numbers.

    Raises:
        RenderingError: a file uses an unknown variable, or no file uses a given one.
    """
    values = {name: str(value) for name, value in variables.items()}
    used: set[str] = set()
    statements = [_render(file, values, used) for file in sorted(folder.glob("*.sql"))]
    if unused := sorted(set(values) - used):
        raise RenderingError(f"{folder}: nothing uses {', '.join(unused)}; remove or use it")
    return statements


def names_used(folder: Path) -> set[str]:
    """The variables that a folder's files refer to."""
    texts = [Template(file.read_text()) for file in folder.glob("*.sql")]
    return {name for text in texts for name in text.get_identifiers()}


def _name(file: Path) -> str:
    match = _NUMBERED.fullmatch(file.name)
    if match is None:
        raise RenderingError(f"{file}: its name must be a number, _, a name, .sql")
    return match["name"]


def _render(file: Path, values: Mapping[str, str], used: set[str]) -> Statement:
    """One file, with the names of its variables added to `used`."""
    template = Template(file.read_text())
    if not template.is_valid():
        raise RenderingError(f"{file}: a $ that starts no ${{variable}}; write $$ for the sign")
    names = set(template.get_identifiers())
    if unknown := sorted(names - set(values)):
        raise RenderingError(f"{file}: unknown variable {', '.join(unknown)}; correct or give it")
    used |= names
    return Statement(_name(file), template.substitute(values).strip())
