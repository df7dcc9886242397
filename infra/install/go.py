"""Builds Go programs whose modules a `go.sum` pins."""

import os
import shutil
import sys
from pathlib import Path

from infra.install.commands import read_output, run_quietly


class Go:
    """The Go toolchain, with caches of its own that are removed after a build."""

    def __init__(self, toolchain: Path, caches: Path) -> None:
        self._go = str(toolchain / "bin/go")
        self._caches = caches

    def patch(self, lock: Path, module: str, program: Path) -> Path:
        """Patch a module's source, after Go has verified it.

        Go refuses to compile a changed file of its module cache (`go build -overlay`), so the
        patched copy replaces the module.

        Args:
            lock: folder with `go.mod` and `go.sum`.
            module: path of the module.
            program: Python program that copies its first argument to its second one, patched.

        Returns:
            A folder to build from instead of `lock`.
        """
        shutil.rmtree(self._caches, ignore_errors=True)  # of a build that failed
        self._run(lock, "mod", "download", module)
        folder = self._caches / "patched"
        shutil.copytree(lock, folder)
        [source] = (self._caches / "path/pkg/mod").glob(f"{module}@*")
        run_quietly([sys.executable, str(program), str(source), str(folder / "module")])
        self._run(folder, "mod", "edit", f"-replace={module}=./module")
        return folder

    def build(self, folder: Path, package: str, target: Path) -> None:
        """Build a program from a folder with `go.mod` and `go.sum`; remove the caches."""
        self._run(folder, "build", "-trimpath", "-ldflags=-s -w", "-o", str(target), package)
        shutil.rmtree(self._caches)  # 2 GB that only this build needs

    def read_newest(self, module: str) -> str:
        """Return the newest published version of a module.

        Raises:
            CommandError: the module proxy does not answer.
        """
        command = [self._go, "list", "-m", "-f", "{{.Version}}", f"{module}@latest"]
        return read_output(command, env=self._make_environment()).strip()

    def _run(self, folder: Path, *arguments: str) -> None:
        run_quietly([self._go, *arguments], cwd=folder, env=self._make_environment())

    def _make_environment(self) -> dict[str, str]:
        """Return Go's variables; make the folder that must exist."""
        temporary = self._caches / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        return {
            **os.environ,
            "GOPATH": str(self._caches / "path"),
            "GOCACHE": str(self._caches / "build"),
            "GOTMPDIR": str(temporary),  # Go leaves its files behind if it is killed
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-mod=readonly -buildvcs=false -modcacherw",
        }
