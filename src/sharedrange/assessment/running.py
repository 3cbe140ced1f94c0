"""Running tasks: from the cache where they are known, else here or in worker processes. The numbers are the same."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from sharedrange.assessment.cache import Cache
from sharedrange.assessment.checkpoint import Checkpoint
from sharedrange.assessment.engines import ENGINES
from sharedrange.core.answer import Answer, Refusal
from sharedrange.core.chance import stream
from sharedrange.core.errors import Cancelled, DidNotConverge, InputError, NotEnoughData
from sharedrange.core.finding import Finding
from sharedrange.core.ledger import Step
from sharedrange.core.progress import Progress

Tell = Callable[[str, float], None]
READING = "read"  # the stage in which a delivery goes through its door for the first time
_stop: Event | None = None


def quiet(what: str, share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An engine's inputs with what was found while making them; or a refusal instead of inputs."""

    inputs: Any = None
    findings: tuple[Finding, ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One call of an engine: `prepare` makes its inputs, and is called only if the answer is not known.

    `chance`: what its random numbers are drawn by, the id that the step has where nothing is hidden. Never told.
    """

    name: str
    step: Step
    engine: str
    settings: Any
    seed: int
    prepare: Callable[[], Prepared]
    chance: str = field(repr=False)


class _Call:
    """Everything that a worker process needs to compute one task; `Task` itself cannot travel."""

    def __init__(self, task: Task, prepared: Prepared, checkpoints: Path) -> None:
        self.name, self.engine, self.settings = task.name, task.engine, task.settings
        self.seed, self.chance = task.seed, task.chance
        self.prepared = prepared
        self.checkpoint = checkpoints / f"{task.step.id}.json"


def run(tasks: Sequence[Task], cache: Cache, checkpoints: Path, *, workers: int, tell: Tell) -> Mapping[str, Answer]:
    """Answers by task name, in the order of `tasks`.

    Raises Cancelled on Ctrl-C, after which every finished answer is in the cache and nothing is half-written.
    """
    answers: dict[str, Answer] = {}
    waiting = []
    for task in tasks:
        known = cache.get(task.step.id)
        if known is None:
            waiting.append(task)
        else:
            answers[task.name] = known.at(task.step.id)
    try:
        spread = _here if workers == 1 or len(waiting) < 2 else _in_processes
        for task, answer in spread(waiting, checkpoints, workers, tell):
            cache.put(task.step.id, answer)
            answers[task.name] = answer.at(task.step.id)
    except KeyboardInterrupt:
        raise Cancelled from None
    return {task.name: answers[task.name] for task in tasks}


def _here(tasks: Sequence[Task], checkpoints: Path, _workers: int, tell: Tell) -> Iterator[tuple[Task, Answer]]:
    for done, task in enumerate(tasks):

        def progress(share: float, /, done: int = done, name: str = task.name) -> None:
            tell(name, (done + share) / len(tasks))

        prepared = task.prepare()
        yield task, _compute(_Call(task, prepared, checkpoints), progress)


def _in_processes(tasks: Sequence[Task], checkpoints: Path, workers: int, tell: Tell) -> Iterator[tuple[Task, Answer]]:
    with _workers(workers) as pool:
        jobs: dict[Future[Answer], Task] = {}
        for task in tasks:
            jobs[pool.submit(_compute_quietly, _Call(task, task.prepare(), checkpoints))] = task
        for done, job in enumerate(as_completed(jobs), start=1):
            try:
                answer = job.result()
            except BrokenProcessPool:
                raise InputError([Finding("worker-lost", {"workers": workers})]) from None
            yield jobs[job], answer
            tell(jobs[job].name, done / len(tasks))


@contextmanager
def _workers(number: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that stop at the next progress report when the block is left by an exception."""
    context = multiprocessing.get_context("spawn")  # polars' threads do not survive a fork
    stop = context.Event()
    pool = ProcessPoolExecutor(number, mp_context=context, initializer=_start_worker, initargs=(stop,))
    try:
        yield pool
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(stop: Event) -> None:
    """Leave Ctrl-C to the parent; remember how to learn that it happened."""
    global _stop  # noqa: PLW0603  (one per worker process, set once when it starts)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stop = stop


def _compute_quietly(call: _Call) -> Answer:
    def progress(_share: float, /) -> None:
        if _stop is not None and _stop.is_set():
            raise Cancelled

    return _compute(call, progress)


def _compute(call: _Call, progress: Progress) -> Answer:
    """Ask the engine; a refusal or a failed fit is an answer too, so that the other questions are answered."""
    if call.prepared.refusal is not None:
        return Answer(refusal=call.prepared.refusal, findings=call.prepared.findings)
    checkpoint = Checkpoint(call.checkpoint)
    rng = stream(call.seed, call.chance)
    try:
        answer = ENGINES[call.engine].answer(
            call.prepared.inputs, call.settings, rng=rng, progress=progress, checkpoint=checkpoint
        )
    except NotEnoughData as thin:
        answer = Answer(refusal=thin.refusal)
    except DidNotConverge as stopped:
        answer = Answer(findings=(stopped.finding,))
    checkpoint.done()
    return replace(answer, findings=(*call.prepared.findings, *answer.findings))
