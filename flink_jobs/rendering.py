"""Render SQL files into statements: fill in the values of their `${variables}`.

An unknown variable is an error. So is a variable that no file uses: otherwise a setting without
effect would go unnoticed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from configuration.errors import TemplateError
from configuration.templates import find_names, render_all

SQL_FOLDER = Path(__file__).resolve().parent / "sql"
_NUMBERED = re.compile(r"\d+_(?P<name>\w+)\.sql")


@dataclass(frozen=True)
class Statement:
    """One rendered statement; `name` is its file's name without number and suffix."""

    name: str
    text: str

    @property
    def is_insert(self) -> bool:
        """Whether it is an insert of the statement set, not the definition of a table or view."""
        return self._verb == "insert"

    @property
    def is_query(self) -> bool:
        """Whether it is a bare query: the definition of the view `name`."""
        return self._verb == "select"

    @property
    def _verb(self) -> str:
        code = [line for line in self.text.splitlines() if not line.startswith("--")]
        return "\n".join(code).split(maxsplit=1)[0].lower()


def render_folder(variables: Mapping[str, str | int], folder: Path = SQL_FOLDER) -> list[Statement]:
    """All statements of a folder, in the order of the files' numbers.

    Raises:
        TemplateError: a file uses an unknown variable, no file uses one of `variables`, or a
            file's name or a `$` in it is malformed.
    """
    files = sorted(folder.glob("*.sql"))
    names = [_read_name(file) for file in files]
    texts = render_all(files, variables)
    return [Statement(name, text.strip()) for name, text in zip(names, texts, strict=True)]


def names_used(folder: Path) -> set[str]:
    """The variables that the SQL files of a folder refer to."""
    return {name for file in folder.glob("*.sql") for name in find_names(file)}


def _read_name(file: Path) -> str:
    match = _NUMBERED.fullmatch(file.name)
    if match is None:
        raise TemplateError(f"{file}: its name must be a number, `_`, a name and `.sql`")
    return match["name"]
