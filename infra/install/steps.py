"""Work with dependencies, done side by side: steps in, all of them done or the first error out."""

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter

from configuration.errors import TributaryError
from infra.install.progress import Reporter
from infra.install.waiting import give_up_waiting


@dataclass(frozen=True)
class Step:
    """One piece of work, named for people, begun once all of `after` are done."""

    name: str
    action: Callable[[], None]
    after: tuple[str, ...] = ()


def select_steps(steps: Iterable[Step], wanted: Collection[str]) -> list[Step]:
    """The wanted steps and, at any remove, those that they come after.

    Raises:
        TributaryError: no step has a wanted name.
    """
    by_name = {step.name: step for step in steps}
    selected: dict[str, Step] = {}
    open_names = list(wanted)
    while open_names:
        name = open_names.pop()
        if name not in by_name:
            raise TributaryError(f"{name}: no such step; there are {', '.join(by_name)}")
        if name not in selected:
            selected[name] = by_name[name]
            open_names += by_name[name].after
    return list(selected.values())


def run_steps(steps: Iterable[Step], reporter: Reporter) -> None:
    """Do every step once, each as soon as it can be.

    Raises:
        Exception: the first error of any step; steps not yet begun are not begun then.
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
        except BaseException:  # Ctrl-C too: what runs must not hold up the end
            give_up_waiting()
            pool.shutdown(cancel_futures=True)
            raise


def _run_step(step: Step, reporter: Reporter) -> None:
    with reporter.step(step.name):
        step.action()
