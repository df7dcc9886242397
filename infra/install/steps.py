"""Run steps with dependencies in parallel, until all are done or one fails."""

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter

from configuration.errors import TributaryError
from configuration.waiting import give_up_waiting
from infra.install.progress import Reporter


@dataclass(frozen=True)
class Step:
    """A piece of work that starts once all steps in `after` are done."""

    name: str
    action: Callable[[], None]
    after: tuple[str, ...] = ()


def select_steps(steps: Iterable[Step], wanted: Collection[str]) -> list[Step]:
    """Return the wanted steps and all their dependencies, direct and indirect.

    Raises:
        TributaryError: a wanted name, or one that a step depends on, is not a step.
    """
    by_name = {step.name: step for step in steps}
    selected: dict[str, Step] = {}
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name not in by_name:
            raise TributaryError(f"{name}: no such step; use one of {', '.join(by_name)}")
        if name not in selected:
            selected[name] = by_name[name]
            pending += by_name[name].after
    return list(selected.values())


def run_steps(steps: Iterable[Step], reporter: Reporter) -> None:
    """Run every step once, as soon as its dependencies are done.

    Raises:
        Exception: the first error of any step. Steps that have not started are then skipped.
    """
    by_name = {step.name: step for step in steps}
    order = TopologicalSorter({name: step.after for name, step in by_name.items()})
    order.prepare()
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(max_workers=16) as pool:
        try:
            while order.is_active():
                for name in order.get_ready():
                    running[pool.submit(_run_step, by_name[name], reporter)] = name
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
                    order.done(running.pop(future))
        except BaseException:  # Ctrl-C too: running steps must not delay the exit
            give_up_waiting()
            pool.shutdown(cancel_futures=True)
            raise


def _run_step(step: Step, reporter: Reporter) -> None:
    with reporter.step(step.name):
        step.action()
