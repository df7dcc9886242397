"""Render templates with `${name}` placeholders; write files that only their owner can read."""

import os
from collections.abc import Mapping
from pathlib import Path
from string import Template

from configuration.errors import SettingsError


def render(template: Path, values: Mapping[str, object]) -> str:
    """Fill in a template.

    Raises:
        SettingsError: a placeholder has no value, or a value has no placeholder.
    """
    text = Template(template.read_text())
    wanted, given = set(text.get_identifiers()), set(values)
    if wanted != given:
        raise SettingsError(
            f"{template}: placeholders without a value: {sorted(wanted - given)};"
            f" values without a placeholder: {sorted(given - wanted)}; make the two sets equal"
        )
    return text.substitute(values)


def write_private(file: Path, text: str, owner: tuple[int, int] | None = None) -> None:
    """Replace `file` atomically by one that only its owner can read (mode 0600).

    Args:
        file: the file to write; missing folders are created.
        text: its content.
        owner: user id and group id of the owner; only root can set them. Default: who runs us.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)  # a leftover could have another mode
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        if owner:
            os.fchown(descriptor, *owner)
        stream.write(text)
    fresh.replace(file)
