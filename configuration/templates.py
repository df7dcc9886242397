"""Render templates with `${name}` placeholders; keep files and folders for their owner only."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template

from configuration.errors import ServiceError, TemplateError

# A process with this umask gives group and others no right to any file or folder that it makes.
OWNER_ONLY = 0o077


def render(template: Path, values: Mapping[str, object]) -> str:
    """Fill in one template.

    Raises:
        TemplateError: as `render_all`.
    """
    [text] = render_all([template], values)
    return text


def render_all(templates: Sequence[Path], values: Mapping[str, object]) -> list[str]:
    """Fill in templates that share their values.

    A value that no template uses is an error too: it would be a setting without effect.

    Raises:
        TemplateError: a placeholder has no value, a value has no placeholder, or a `$` starts no
            placeholder.
    """
    texts = {template: Template(template.read_text()) for template in templates}
    filled_in = [_fill_in(template, text, values) for template, text in texts.items()]
    used = {name for text in texts.values() for name in text.get_identifiers()}
    if unused := sorted(values.keys() - used):
        files = ", ".join(map(str, templates))
        raise TemplateError(f"{files}: nothing uses {', '.join(unused)}; use it or remove it")
    return filled_in


def find_names(template: Path) -> set[str]:
    """The names of a template's placeholders."""
    return set(Template(template.read_text()).get_identifiers())


def _fill_in(template: Path, text: Template, values: Mapping[str, object]) -> str:
    if not text.is_valid():
        raise TemplateError(f"{template}: a $ starts no ${{name}}; write $$ for a plain $")
    if unknown := sorted(set(text.get_identifiers()) - values.keys()):
        raise TemplateError(
            f"{template}: unknown variable {', '.join(unknown)}; correct it or define it"
        )
    return text.substitute(values)


def write_private(file: Path, content: str | bytes, owner: tuple[int, int] | None = None) -> None:
    """Replace `file` atomically by one that only its owner can read (mode 0600).

    Args:
        file: the file to write; missing folders are created.
        content: its content; text is written as UTF-8.
        owner: user id and group id of the owner; only root can set them. Default: who runs us.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)  # a leftover could have another mode
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if owner:
            os.fchown(descriptor, *owner)
        stream.write(content.encode() if isinstance(content, str) else content)
    fresh.replace(file)


@contextmanager
def owner_only() -> Iterator[None]:
    """Let only the owner use the files and folders that this process makes meanwhile."""
    former = os.umask(OWNER_ONLY)
    try:
        yield
    finally:
        os.umask(former)


def make_private_folder(folder: Path) -> None:
    """Create a folder unless it exists, and let nobody but its owner enter it (mode 0700).

    Nobody else can then open the files in it, whatever their own mode is.

    Raises:
        ServiceError: the folder belongs to another user.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        folder.chmod(0o700)
    except PermissionError:
        raise ServiceError(
            f"{folder} belongs to user {folder.stat().st_uid}: run make as that user, or change the"
            " folder's owner with `chown -R`"
        ) from None
