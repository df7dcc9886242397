"""Configuration files with `${name}` placeholders: rendered strictly, written privately."""

import os
from collections.abc import Mapping
from pathlib import Path
from string import Template

from configuration.errors import SettingsError


def render(template: Path, values: Mapping[str, object]) -> str:
    """Fill in a template.

    Raises:
        SettingsError: a placeholder has no value, or a value no placeholder.
    """
    text = Template(template.read_text())
    wanted, given = set(text.get_identifiers()), set(values)
    if wanted != given:
        raise SettingsError(
            f"{template}: without a value: {sorted(wanted - given)};"
            f" without a place: {sorted(given - wanted)}"
        )
    return text.substitute(values)


def write_private(file: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Replace `file` at once, readable by its owner only (mode 0600).

    The owner is who runs us, unless root names another one by the ids of user and group.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)  # whatever mode a leftover has
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        if owner:
            os.fchown(descriptor, *owner)
        stream.write(text)
    fresh.replace(file)
