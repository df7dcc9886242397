"""Scratch lakehouses, for tests and benchmarks: each has its own settings, state folder and ports.

All lakehouses of a checkout share the fetched and built parts.
"""

import os
import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

from configuration.settings import LOOPBACK, NATIVE_FILE, PIPELINE_FILE

# Scratch lakehouses use ports below the ephemeral range, which begins at 32768 on Linux. If a
# client connects to a stopped service on an ephemeral port, the system may give the client that
# very port. The client then talks to itself and blocks the port for minutes. The ports are also
# below those in native.toml.
FIRST_PORT = 10_000
# Each process starts in another block, so that two processes don't pick the same ports.
BLOCKS, PORTS_OF_A_BLOCK = 37, 400
PORT_COUNT = BLOCKS * PORTS_OF_A_BLOCK


def write_scratch_topology(file: Path, state: str) -> None:
    """Write the native topology to `file`, with the state folder `state` and free ports."""
    topology, count = re.subn(
        r'^state = ".*"', f'state = "{state}"', NATIVE_FILE.read_text(), flags=re.MULTILINE
    )
    assert count == 1, f"{NATIVE_FILE}: one paths.state"
    file.write_text(_on_free_ports(topology))


def write_changed_settings(file: Path, changes: Mapping[str, str]) -> None:
    """Write tributary.toml to `file` with changed values.

    Args:
        file: the file to write.
        changes: new values by key, written as TOML.
    """
    text = PIPELINE_FILE.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"^{key} = .*", f"{key} = {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{PIPELINE_FILE}: one {key}"
    file.write_text(text)


def find_free_port() -> int:
    """Return a loopback port that is free and was not returned recently."""
    with _hold_free_port() as listener:
        return int(listener.getsockname()[1])


def _on_free_ports(topology: str) -> str:
    with ExitStack() as held:

        def free_port(match: re.Match[str]) -> str:
            listener = held.enter_context(_hold_free_port())
            return f"{match['key']} = {listener.getsockname()[1]}"

        return re.sub(r"^(?P<key>\w*port) = \d+$", free_port, topology, flags=re.MULTILINE)


_begin = os.getpid() % BLOCKS * PORTS_OF_A_BLOCK
_ports = cycle(FIRST_PORT + (_begin + offset) % PORT_COUNT for offset in range(PORT_COUNT))


def _hold_free_port() -> socket.socket:
    for port in islice(_ports, PORT_COUNT):
        try:
            return socket.create_server((LOOPBACK, port))
        except OSError:  # the port is taken
            continue
    last = FIRST_PORT + PORT_COUNT - 1
    raise OSError(f"no port of {LOOPBACK} is free between {FIRST_PORT} and {last}")
