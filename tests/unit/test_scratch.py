"""Ports of scratch lakehouses: nothing else has them, or can get them by chance."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from configuration import REPOSITORY
from configuration.settings import NATIVE_FILE
from infra.topologies.scratch import write_scratch_topology

GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def find_ports(topology_file: Path) -> set[int]:
    """Every port in a topology file."""
    tables = tomllib.loads(topology_file.read_text()).values()
    return {value for table in tables for key, value in table.items() if key.endswith("port")}


@pytest.mark.skipif(not GIVEN.exists(), reason="only Linux tells its ephemeral ports in /proc")
def test_ports_are_below_the_ephemeral_range(tmp_path: Path) -> None:
    write_scratch_topology(tmp_path / "topology.toml", "state")
    assert max(find_ports(tmp_path / "topology.toml")) < int(GIVEN.read_text().split()[0])


def test_lakehouses_share_no_port_even_before_they_run(
    tmp_path: Path,
) -> None:
    files = [tmp_path / name for name in ("one.toml", "two.toml")]
    for file in files:
        write_scratch_topology(file, "state")
    one, two = map(find_ports, files)
    assert len(one) == len(two) == len(find_ports(NATIVE_FILE))
    assert not one & two
    assert not (one | two) & find_ports(NATIVE_FILE)


def test_processes_choose_different_ports() -> None:
    choose = "from infra.topologies.scratch import find_free_port; print(find_free_port())"
    chosen = [
        subprocess.run(
            [sys.executable, "-c", choose], cwd=REPOSITORY, capture_output=True, check=True
        ).stdout
        for _ in range(3)
    ]
    assert len(set(chosen)) == len(chosen)
