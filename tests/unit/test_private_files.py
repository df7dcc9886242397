"""Files and folders for their owner only."""

import os
import stat
from pathlib import Path

from configuration.templates import make_private_folder, owner_only


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_meanwhile_is_for_its_owner_only(tmp_path: Path) -> None:
    with owner_only():
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder/file").touch()
    assert (mode(tmp_path / "folder"), mode(tmp_path / "folder/file")) == (0o700, 0o600)


def test_what_is_made_later_has_the_users_own_mode(tmp_path: Path) -> None:
    former = os.umask(0o027)
    try:
        with owner_only():
            pass
        (tmp_path / "file").touch()
    finally:
        os.umask(former)
    assert mode(tmp_path / "file") == 0o640


def test_private_folder_is_closed_whether_it_exists_or_not(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for folder in (tmp_path / "open", tmp_path / "some/new"):
        make_private_folder(folder)
        assert mode(folder) == 0o700
