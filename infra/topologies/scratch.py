"""A lakehouse beside the one that runs: settings, a state folder and ports of its own.

For tests and benchmarks; what was fetched and built is shared.
"""

import os
import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path

from configuration.settings import LOOPBACK, NATIVE_FILE, PIPELINE_FILE

# Ports of scratch lakehouses: below those that systems give to whoever connects (Linux: from 32768
# on). There a client that seeks a service which is down may get the service's own port, and then
# talks to itself and holds it for minutes. Below the ports of native.toml too.
FIRST_PORT = 10_000
# Each process begins in a block of its own, so that two don't choose the same ports at once.
BLOCKS, PORTS_OF_A_BLOCK = 37, 400
PORT_COUNT = BLOCKS * PORTS_OF_A_BLOCK


def write_scratch_topology(file: Path, state: str) -> None:
    """Write the native topology to `file`, with the folder `state` and ports that nobody has."""
    topology, count = re.subn(
        r'^state = ".*"', f'state = "{state}"', NATIVE_FILE.read_text(), flags=re.MULTILINE
    )
    assert count == 1, f"{NATIVE_FILE}: one paths.state"
    file.write_text(_on_free_ports(topology))


def write_changed_settings(file: Path, changes: Mapping[str, str]) -> None:
    """Write tributary.toml to `file`, with other values (TOML's) for some keys."""
    text = PIPELINE_FILE.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"^{key} = .*", f"{key} = {value}", text, flags=re.MULTILINE)
        assert count == 1, f"{PIPELINE_FILE}: one {key}"
    file.write_text(text)


def find_free_port() -> int:
    """A port of the loopback interface that nobody has, and that was not handed out lately."""
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
        except OSError:  # somebody has it
            continue
    raise OSError(f"no port of {LOOPBACK} is free from {FIRST_PORT} on")
