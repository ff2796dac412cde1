"""React to events of workers: scores at rungs, results, crashes, kills."""

from __future__ import annotations

from contextlib import suppress

from automl.search.cohort_run import CohortRun, Prune
from automl.search.costs import CostModel
from automl.workers import Crashed, Event, Finished, Killed, RungReached

__all__ = ["react"]


def react(run: CohortRun, event: Event, costs: CostModel, prune: Prune) -> None:
    """Answer a question at a rung, or record the end of a part.

    Parameters
    ----------
    run : CohortRun
        The cohort, of which a part is in training.
    event : Event
        The event of its worker.
    costs : CostModel
        Learns the seconds.
    prune : callable
        Returns the trials to prune of the scores at a rung.
    """
    if run.training is None:
        return
    match event:
        case RungReached(cohort, rung, scores, reply, seconds):
            costs.learn_rung(cohort.trials, rung, seconds, in_turn=cohort.floor is not None)
            pruned = run.report(rung, scores, prune)
            with suppress(OSError):  # the worker has died; an event of its own reports that
                reply(pruned)
        case Finished(_, records):
            costs.learn(records)
            run.finish(records)
        case Crashed(_, reason):
            run.retry(reason)
        case Killed(_, "memory_limit", reason, seconds):
            run.retry(reason, whole=False, seconds=seconds)
        case Killed(_, _, reason, seconds):
            costs.learn_minimum(run.training.trials, seconds)
            run.end_part("pruned", reason, seconds)
