"""`make advisories`: asks a public database which fetched parts have known vulnerabilities.

Input: the parts folder: Python packages, jars, and Go programs with the modules inside them; and
the locks of Maven, because a jar need not say its group.
Output: osv-scanner's report. Exit code: 0 if it found nothing, 1 if it found something, 2 if it
could not check.

It is not a test: it needs the internet, and its answer changes without a change of ours.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from configuration.errors import InstallError, TributaryError
from infra.install.artifacts import LOCKS, Artifact, read_locks
from infra.install.parts import Parts
from infra.install.progress import Reporter

DATABASE = "api.osv.dev"
# It reads what is installed, because a wheel or an archive contains more than its lock names.
OPTIONS = (
    "--recursive",
    "--no-ignore",
    "--no-call-analysis=all",
    "--experimental-no-default-plugins",
    "--experimental-plugins=python/wheelegg,java/archive,java/gradlelockfile,go/binary",
    "--verbosity=warn",
)
ACCEPTED = LOCKS / "osv-scanner/accepted.toml"
FOUND_NOTHING, FOUND_SOMETHING, NOT_CHECKED = 0, 1, 2  # the first two are also osv-scanner's


def scan(parts: Path, options: Sequence[str] = ()) -> int:
    """Show the vulnerabilities of these parts; return 1 if there are any, else 0.

    Args:
        parts: parts folder, with osv-scanner built.
        options: more options of osv-scanner's.

    Raises:
        InstallError: osv-scanner could not read the parts or ask its database.
    """
    # `cache` holds downloads again; links lead to other parts.
    folders = [each for each in parts.iterdir() if each.is_dir() and each.name != "cache"]
    scanned = [str(each) for each in folders if not each.is_symlink()]
    with TemporaryDirectory() as scratch:
        lock = Path(scratch, "gradle.lockfile")
        lock.write_text("".join(sorted({_format(artifact) for artifact in read_locks()})))
        scanner = [str(parts / "osv-scanner/osv-scanner"), "scan", "source", *OPTIONS]
        command = [*scanner, f"--config={ACCEPTED}", f"--lockfile={lock}", *options, *scanned]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    # Without an answer, its report says that it found nothing.
    if result.returncode not in (FOUND_NOTHING, FOUND_SOMETHING):
        raise InstallError(
            f"advisories: osv-scanner ended with {result.returncode} and checked nothing; if the"
            f" lines above say that nobody answered, use a machine that reaches {DATABASE} on port"
            " 443: a mirror of package registries does not have this database"
        )
    sys.stdout.write(result.stdout)
    return result.returncode


def _format(artifact: Artifact) -> str:
    """Return a line of a `gradle.lockfile`, a format that osv-scanner reads."""
    return f"{artifact.group}:{artifact.name}:{artifact.version}=locked\n"


def main(root: str, *options: str) -> None:
    """Fetch what is missing, then scan everything."""
    try:
        with Reporter() as reporter:
            parts = Parts(Path(root), reporter)
            parts.ensure([*parts.steps(), *parts.advisory_steps()])
        sys.exit(scan(parts.root.resolve(), options))
    except TributaryError as error:
        sys.stderr.write(f"tributary: {error}\n")
        sys.exit(NOT_CHECKED)


if __name__ == "__main__":
    main(*sys.argv[1:])
