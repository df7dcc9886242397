"""A lakehouse beside the one that runs: settings, a state folder and ports of its own.

For tests and benchmarks; what was fetched and built is shared.
"""

import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from infra.settings import MEANINGS_FILE, NATIVE_FILE


def write_scratch_topology(file: Path, state: str) -> None:
    """Write the native topology to `file`, with the folder `state` and ports that nobody has."""
    topology, count = re.subn(
        r'^state = ".*"', f'state = "{state}"', NATIVE_FILE.read_text(), flags=re.MULTILINE
    )
    assert count == 1, f"{NATIVE_FILE}: one paths.state"
    file.write_text(_on_free_ports(topology))


def write_changed_settings(file: Path, changes: Mapping[str, str]) -> None:
    """Write the settings of meanings to `file`, with other values (TOML's) for some keys."""
    text = MEANINGS_FILE.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"^{key} = .*", f"{key} = {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{MEANINGS_FILE}: one {key}"
    file.write_text(text)


def find_free_port() -> int:
    """A port of the loopback interface that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _on_free_ports(topology: str) -> str:
    with ExitStack() as held:  # all at once, so that no port is handed out twice

        def free_port(match: re.Match[str]) -> str:
            listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            return f"{match['key']} = {listener.getsockname()[1]}"

        return re.sub(r"^(?P<key>\w*port) = \d+$", free_port, topology, flags=re.MULTILINE)
