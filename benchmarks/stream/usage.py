"""CPU time and memory that processes use while something runs."""

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import psutil

SAMPLE_SECONDS = 0.5
MEGABYTE = 1_000_000


class Usage:
    """CPU-seconds (user and system) and peak resident memory of processes within a `with`.

    A process that ends before the `with` block does counts with its usage at the last sample.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._cpu: dict[psutil.Process, float] = {}
        self._begin: dict[psutil.Process, float] = {}
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample_until_over, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> Self:
        self._sample()
        self._begin = dict(self._cpu)
        self._sampler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._sampler.join()
        self._sample()

    @property
    def cpu_seconds(self) -> float:
        """CPU-seconds used since the `with` began."""
        return sum(self._cpu.values()) - sum(self._begin.values())

    def _sample_until_over(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        resident = 0
        for root in self._roots:
            for process in _family(root):
                try:
                    times = process.cpu_times()
                    resident += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                self._cpu[process] = times.user + times.system
        self.peak_mb = max(self.peak_mb, resident / MEGABYTE)


def _family(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
