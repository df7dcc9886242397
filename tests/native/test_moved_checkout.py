"""A checkout may be moved or copied with everything that it fetched."""

import shutil
import subprocess
import sys
from pathlib import Path


def test_program_of_a_moved_virtual_environment_starts_with_the_python_beside_it(
    tmp_path: Path,
) -> None:
    environment, moved = Path(sys.prefix), tmp_path / "moved environment"
    shutil.copytree(environment / "bin", moved / "bin", symlinks=True)
    shutil.copy(environment / "pyvenv.cfg", moved)
    (moved / "lib").symlink_to(environment / "lib")
    program = moved / "bin/pytest"
    assert str(environment) not in program.read_text()
    answer = subprocess.run([program, "--version"], text=True, capture_output=True, check=True)
    assert answer.stdout.startswith("pytest ")
