"""Many independent replicates of one thing over an executor: the same numbers whoever does the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import Executor, as_completed
from typing import Any

import numpy as np

from sharedrange.core.progress import Progress, silent
from sharedrange.population.scr.fitting import Fit

Row = list[Any]
Task = Callable[[Fit, Sequence[np.random.Generator]], list[Row]]
_AT_ONCE = 10  # replicates a job: enough to outweigh sending the fit, few enough to show progress


def replicate(
    task: Task,
    fit: Fit,
    number: int,
    *,
    rng: np.random.Generator,
    label: str,
    progress: Progress = silent,
    executor: Executor | None = None,
    checkpoint: MutableMapping[str, Any] | None = None,
) -> list[Row]:
    """One row a replicate, in order; each has a stream of its own, spawned from `rng`.

    `task` is a function of a module: it may run in another process. Its rows must survive JSON, for `checkpoint`
    keeps them by `label`; the same call with the same stream then goes on where it was stopped.
    """
    streams = rng.spawn(number)
    jobs = {f"{label}/{i}-{i + _AT_ONCE}": streams[i : i + _AT_ONCE] for i in range(0, number, _AT_ONCE)}
    kept = {} if checkpoint is None else checkpoint
    done: dict[str, list[Row]] = {name: kept[name] for name, s in jobs.items() if len(kept.get(name, ())) == len(s)}
    left = {name: s for name, s in jobs.items() if name not in done}
    progress(len(done) / max(len(jobs), 1))
    for name, rows in _worked(task, fit, left, executor):
        done[name] = rows
        kept[name] = rows
        progress(len(done) / len(jobs))
    return [row for name in jobs for row in done[name]]


def _worked(
    task: Task, fit: Fit, jobs: dict[str, list[np.random.Generator]], executor: Executor | None
) -> Iterator[tuple[str, list[Row]]]:
    """Jobs as they are done."""
    if executor is None:
        for name, streams in jobs.items():
            yield name, task(fit, streams)
        return
    running = {executor.submit(task, fit, streams): name for name, streams in jobs.items()}
    try:
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        for future in running:  # what has not begun when somebody stops
            future.cancel()
