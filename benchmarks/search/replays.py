"""Repetitions of searches on the surrogate: those that are finished are kept as lines of JSON."""

import ast
import hashlib
import importlib
import inspect
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, astuple, dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import optuna

from benchmarks.jsonl import append, read
from benchmarks.search.epoch_seconds import Timing
from benchmarks.search.judges.judge import Judge
from benchmarks.search.methods import Method
from benchmarks.search.protocol import Advised, Call, Planning, Space, Values
from benchmarks.search.simulator import Budget, Point, Trace, simulate
from benchmarks.search.surrogate import Surrogate
from benchmarks.search.table import Curve
from benchmarks.tables import FOLDER

CACHE = FOLDER / ".cache" / "search_replays.jsonl"
# In full-length trainings of the table's mean configuration: none trains longer, and none less.
LIMIT, HORIZON = 150, 20
# What decides every method's results.
_SHARED = tuple(
    f"benchmarks.search.{name}"
    for name in (
        "configurations",
        "epoch_seconds",
        "gaussian_process",
        "judges.gp_samples",
        "judges.scaled_table",
        "mean_curves",
        "noise",
        "simulator",
        "surrogate",
    )
)


@dataclass(frozen=True)
class Task:
    """One repetition of a method."""

    method: str
    n_workers: int
    repetition: int


@dataclass(frozen=True)
class Ground:
    """Searches and the surrogate that they run on; `table` is the digest of what the surrogate was fitted to.

    A `judge` takes the place of the surrogate's mean curves. `limit` and `horizon` are in full-length trainings, see
    `Budget`. Searches begin with the values of `first`; if `is_known`, those that can plan are told the limit.
    """

    surrogate: Surrogate
    space: Space
    methods: Mapping[str, Method]
    table: str
    judge: Judge | None = None
    limit: float = LIMIT
    horizon: float = HORIZON
    first: tuple[Values, ...] = ()
    is_known: bool = False

    @classmethod
    def of(
        cls, curves: Sequence[Curve], timings: Sequence[Timing], space: Space, methods: Mapping[str, Method]
    ) -> "Ground":
        """Build from the surrogate of these curves."""
        told = [[record.__dict__ for record in of_kind] for of_kind in (curves, timings)]
        return cls(Surrogate.fit(curves, timings), space, methods, _digest(json.dumps(told)))

    def run(self, task: Task) -> Trace:
        """Simulate a repetition: its number seeds the sampler, the noise, and what a judge draws."""
        method, unit_s = self.methods[task.method], self.surrogate.full_length_s * self.methods[task.method].speed
        search, objective = method.make(task.repetition, self.space), self.surrogate.judged(self.judge, task.repetition)
        for values in self.first:
            assert isinstance(search, Advised), f"{task.method} cannot be given its first values"
            search.begin_with(values)
        if self.is_known and isinstance(search, Planning):
            search.plan(Call(self.limit * unit_s, unit_s, objective.seconds))
        return simulate(
            search,
            objective,
            Budget(self.limit * unit_s, self.horizon * unit_s),
            task.n_workers * method.speed,
        )


def replay(tasks: Sequence[Task], ground: Ground, cache: Path = CACHE, n_processes: int = 1) -> dict[Task, Trace]:
    """Traces of all tasks, in their order; only those that `cache` lacks are run."""
    keys = _keys(tasks, ground)
    known = {line["key"]: _trace(line) for line in read(cache)}
    cache.parent.mkdir(parents=True, exist_ok=True)
    for task, trace in _run_all([task for task in tasks if keys[task] not in known], ground, n_processes):
        append(cache, {"key": keys[task]} | asdict(task) | _line(trace))
        known[keys[task]] = trace
    return {task: known[keys[task]] for task in tasks}


def _run_all(tasks: Sequence[Task], ground: Ground, n_processes: int) -> Iterator[tuple[Task, Trace]]:
    if n_processes == 1 or not tasks:
        yield from ((task, ground.run(task)) for task in tasks)
        return
    # Not by fork: PyTorch, which GPSampler uses, does not outlive one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, context, initializer=_set_up, initargs=(ground,)) as pool:
        running = {pool.submit(_run_one, task): task for task in tasks}
        for done in as_completed(running):
            yield running[done], done.result()


# Of a process of the pool: given once, not with every task.
_here: dict[str, Ground] = {}


def _set_up(ground: Ground) -> None:
    _here["ground"] = ground
    quiet()


def _run_one(task: Task) -> Trace:
    return _here["ground"].run(task)


def quiet() -> None:
    """Keep Optuna from telling every trial."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _keys(tasks: Iterable[Task], ground: Ground) -> dict[Task, str]:
    """Digest of what a result depends on: table, space, programs, Optuna's version, budget and repetition."""
    judge = _programs([type(ground.judge).__module__]) if ground.judge else []
    budget = repr((ground.limit, ground.horizon, ground.first, ground.is_known))
    shared = _digest(ground.table, repr(ground.space), optuna.__version__, budget, *judge, *_programs(_SHARED))
    methods = {
        name: _digest(
            shared,
            repr(method.speed),
            *_programs(method.sources),
            _program(method.make),
            *map(version, method.packages),
        )
        for name, method in ground.methods.items()
    }
    return {task: _digest(methods[task.method], repr(astuple(task))) for task in tasks}


def _programs(names: Iterable[str]) -> list[str]:
    return [_program(importlib.import_module(name)) for name in names]


def _program(source: ModuleType | Callable[..., object]) -> str:
    # Without comments and layout: these change no result.
    return ast.dump(ast.parse(inspect.getsource(source)))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def _line(trace: Trace) -> dict[str, Any]:
    points = [[float(f"{number:.7g}") for number in astuple(point)] for point in trace.points]
    return {"points": points, "elapsed_s": trace.elapsed_s, "compute_s": trace.compute_s}


def _trace(line: dict[str, Any]) -> Trace:
    return Trace(tuple(Point(*point) for point in line["points"]), line["elapsed_s"], line["compute_s"])
