"""The page of threats names only tests that exist, so that no promise loses its test."""

import re

from configuration import REPOSITORY

TABLE_ROW = re.compile(r"^\|.*\|\s*(`.*`)\s*\|$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


def test_every_test_on_the_page_exists() -> None:
    page = (REPOSITORY / "docs/security.md").read_text()
    named = [name for row in TABLE_ROW.findall(page) for name in CODE.findall(row)]
    assert len(named) > 20
    file, missing = "", []
    for name in named:
        file = name.partition("::")[0] or file
        source = REPOSITORY / "tests" / file
        test = name.partition("::")[2]
        if not source.is_file() or f"def {test}" not in source.read_text():
            missing.append(f"{file}::{test}")
    assert missing == []
