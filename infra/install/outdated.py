"""`make outdated`, and the end of `make locks`: what we pin, beside the newest published version.

Input: the files that people edit (the `.in` files, jgo.toml, artifacts.toml, go.mod) and the locks.
Output: a table of the parts that have a newer version. It does not list what these parts depend on.
If a registry does not answer, only its own parts are left out.

uv, jgo and go ask the registries.
"""

import logging
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.maven import compare_versions
from rich.table import Table

from configuration import REPOSITORY
from configuration.errors import TributaryError
from infra.install.artifacts import LOCKS, Maven, read_choices
from infra.install.commands import read_output
from infra.install.go import Go
from infra.install.progress import Reporter, console

OLDEST_PYTHON = "3.11"
REQUESTS_AT_ONCE = 8
# The name that a requirement begins with. Comments, options and empty lines have none.
REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*", re.MULTILINE)
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
GO_PROGRAM = re.compile(r"^tool (\S+)$", re.MULTILINE)
GO_MODULE = re.compile(r"^\t(\S+) (v\S+)", re.MULTILINE)
BASE_IMAGE = re.compile(r"^ARG BASE_IMAGE=(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """A part that somebody chose: its name at its registry, our version, and what uses it."""

    name: str
    version: str
    used_by: str


@dataclass
class Answers:
    """The newest version of each name that a registry knows, and the first thing that failed."""

    newest: dict[str, str] = field(default_factory=dict)
    problem: str = ""


Ask = Callable[[list[str]], Answers]


def read_python_pins(locks: Path = LOCKS) -> Iterator[Pin]:
    """Yield each package that a `.in` file names, with its version in the lock."""
    for source in sorted(locks.glob("*.in")):
        locked: dict[str, str] = {}
        for name, version in LOCKED.findall(source.with_suffix(".lock.txt").read_text()):
            locked.setdefault(name, version)  # the first line is for our oldest Python
        for name in REQUIREMENT.findall(source.read_text()):
            yield Pin(name, locked[name], source.stem)


def read_maven_pins() -> Iterator[Pin]:
    """Yield what artifacts.toml and each jgo.toml name."""
    for artifact in read_choices():
        yield Pin(f"{artifact.group}:{artifact.name}", artifact.version, artifact.part)


def read_go_pins(locks: Path = LOCKS) -> Iterator[Pin]:
    """Yield the module of each program that we build."""
    for file in sorted(locks.glob("*/go.mod")):
        modules = dict(GO_MODULE.findall(file.read_text()))
        [program] = GO_PROGRAM.findall(file.read_text())
        module = max((each for each in modules if f"{program}/".startswith(f"{each}/")), key=len)
        yield Pin(module, modules[module], file.parent.name)


def ask_pypi(parts: Path, names: list[str]) -> Answers:
    """Ask uv for the newest version of each package that our oldest Python can install."""
    uv = str(parts / "environments/uv/bin/uv")
    options = ["--quiet", "--no-deps", "--no-header", "--no-annotate"]
    command = [uv, "pip", "compile", *options, "--python-version", OLDEST_PYTHON, "-"]
    cache = {"UV_CACHE_DIR": str(parts / "cache/uv")}
    try:
        answer = read_output(command, "\n".join(names), env={**os.environ, **cache})
    except TributaryError as error:
        return Answers(problem=str(error))
    return Answers(dict(LOCKED.findall(answer)))


def ask_maven(names: list[str]) -> Answers:
    """Ask for the newest release of each `group:name`."""
    with TemporaryDirectory() as cache:
        maven = Maven(Path(cache), Reporter())
        return _ask_each(names, lambda name: maven.read_newest(*name.split(":")))


def ask_go(parts: Path, names: list[str]) -> Answers:
    """Ask for the newest version of each module."""
    with TemporaryDirectory() as caches:
        return _ask_each(names, Go(parts / "environments/go", Path(caches)).read_newest)


def _ask_each(names: list[str], read_newest: Callable[[str], str]) -> Answers:
    answers = Answers()
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        asked = {name: pool.submit(read_newest, name) for name in names}
    for name, answer in asked.items():
        try:
            answers.newest[name] = answer.result()
        except TributaryError as error:
            answers.problem = answers.problem or str(error)
    return answers


def compare(registry: str, pins: list[Pin], ask: Ask, table: Table) -> str:
    """Add a row for each part that has a newer version; return a summary of the registry."""
    uses: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pin in pins:
        uses[pin.name, pin.version].append(pin.used_by)
    answers = ask(sorted({pin.name for pin in pins}))
    outdated, unknown = 0, 0
    for (name, version), used_by in uses.items():
        newest = answers.newest.get(name)
        if newest is None:
            unknown += 1
        elif compare_versions(version, newest) < 0:
            outdated += 1
            table.add_row(name, version, newest, ", ".join(used_by))
    summary = f"{registry}: {len(uses)} parts, {outdated} with a newer version"
    return f"{summary}; no answer about {unknown}: {answers.problem}" if unknown else summary


def print_outdated(parts: Path) -> None:
    """Print the table, a line for each registry, and what the base image is."""
    logging.getLogger("jgo").setLevel(logging.ERROR)  # the summary says who did not answer
    table = Table("part", "pinned", "newest", "used by", box=None, pad_edge=False)
    summaries = [
        compare("PyPI", list(read_python_pins()), partial(ask_pypi, parts), table),
        compare("Maven", list(read_maven_pins()), ask_maven, table),
        compare("Go", list(read_go_pins()), partial(ask_go, parts), table),
    ]
    [image] = BASE_IMAGE.findall((REPOSITORY / "Dockerfile").read_text())
    if table.rows:
        console.print(table)
    for line in (*summaries, f"base image: {image} (docs/deploy.md says how to pin it)"):
        console.print(line, markup=False)


if __name__ == "__main__":
    print_outdated(Path(sys.argv[1]))
