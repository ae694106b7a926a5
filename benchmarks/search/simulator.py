"""A search on simulated workers, in simulated time: an event is an epoch's end."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from math import inf

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.protocol import Job, Objective, Search, Values


@dataclass(frozen=True)
class Budget:
    """End of a simulation, by compute in seconds: at the limit, or earlier once the target was reached.

    It goes on to `horizon_s` in any case, so that regrets up to there are comparable.
    """

    limit_s: float
    horizon_s: float = inf


@dataclass(frozen=True)
class Point:
    """From here on, the search would hand out a configuration whose true score is so far above the target.

    In bits per dimension: not above zero where it reaches the target. Seconds are simulated: `elapsed_s` on the clock,
    `compute_s` over all workers.
    """

    elapsed_s: float
    compute_s: float
    above_target: float


@dataclass(frozen=True)
class Trace:
    """Changes of the values that a search would return, and the end of the simulation."""

    points: tuple[Point, ...]
    elapsed_s: float
    compute_s: float

    @property
    def reached(self) -> Point | None:
        """Time at which the target was reached first; None if never."""
        return next((point for point in self.points if point.above_target <= 0), None)


def simulate(
    search: Search,
    objective: Objective,
    budget: Budget,
    n_workers: int = 1,
    clock_s: Callable[[], float] = time.process_time,
) -> Trace:
    """Run the search. It ends with the budget, or when no worker has anything to do.

    Compute is trained seconds, counted when an epoch ends, plus what the search takes to say what is next, measured
    by `clock_s` and added to its worker's time.
    """
    simulation = _Simulation(search, objective, clock_s, list(range(n_workers)))
    while not simulation.over(budget) and simulation.step():
        pass
    return Trace(tuple(simulation.points), simulation.elapsed_s, simulation.compute_s)


@dataclass
class _Run:
    """One run, whether it is going on or stopped."""

    job: Job
    val_bpd_E: NDArray[np.float64]
    epoch_s: float
    n_epochs: int = 0
    going: bool = False


@dataclass
class _Simulation:
    search: Search
    objective: Objective
    clock_s: Callable[[], float]
    idle: list[int]
    elapsed_s: float = 0.0
    compute_s: float = 0.0
    points: list[Point] = field(default_factory=list)
    runs: dict[tuple[int, int], _Run] = field(default_factory=dict)
    # (time, number, worker, run): events of the same time happen in the order in which their epochs began.
    events: list[tuple[float, int, int, _Run]] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=count)
    incumbent: Values | None = None

    def over(self, budget: Budget) -> bool:
        """Return True if the budget is spent."""
        reached = any(point.above_target <= 0 for point in self.points)
        return self.compute_s >= (min(budget.limit_s, budget.horizon_s) if reached else budget.limit_s)

    def step(self) -> bool:
        """Give the idle something to do, then go to the next epoch's end; whether there was one."""
        self.idle = [worker for worker in self.idle if not self._begin(worker)]
        if not self.events:
            return False
        self.elapsed_s, _, worker, run = heapq.heappop(self.events)
        self.compute_s += run.epoch_s
        run.n_epochs += 1
        stops = self.search.report(run.job, run.n_epochs, float(run.val_bpd_E[run.n_epochs - 1]))
        run.going = not stops and run.n_epochs < len(run.val_bpd_E)
        if run.going:
            self._schedule(worker, run, self.elapsed_s)
        else:
            self.idle.append(worker)
        self._note_incumbent()
        return True

    def _begin(self, worker: int) -> bool:
        before = self.clock_s()
        job = self.search.next()
        spent_s = self.clock_s() - before
        self.compute_s += spent_s
        if job is None:
            return False
        run = self._run(job)
        assert not run.going, f"{job} is running already"
        assert run.n_epochs < len(run.val_bpd_E), f"{job} is full-length already"
        run.going = True
        self._schedule(worker, run, self.elapsed_s + spent_s)
        return True

    def _run(self, job: Job) -> _Run:
        key = job.key, job.seed
        if key not in self.runs:
            curve = self.objective.curve(job.values, job.seed)
            self.runs[key] = _Run(job, curve, self.objective.seconds(job.values))
        return self.runs[key]

    def _schedule(self, worker: int, run: _Run, now_s: float) -> None:
        heapq.heappush(self.events, (now_s + run.epoch_s, next(self.numbers), worker, run))

    def _note_incumbent(self) -> None:
        incumbent = self.search.incumbent()
        if incumbent is not None and incumbent != self.incumbent:
            self.incumbent = incumbent
            above_target = self.objective.final(incumbent) - self.objective.target
            self.points.append(Point(self.elapsed_s, self.compute_s, above_target))
