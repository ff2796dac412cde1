"""Trials with equal configurations."""

from automl.search.duplicates import Duplicates
from tests.support.scripted import (
    ScriptedSession,
    ScriptedWorkers,
    finished,
    loop,
    record,
)


def test_duplicates_take_over_the_first_result():
    trained = []

    def script(cohort):
        trained.extend(one.number for one in cohort.trials)
        yield from finished(cohort)

    session = ScriptedSession()
    session.duplicates = {3: 2, 9: 2, 4: 3, **dict.fromkeys(range(12, 16), 11)}
    session.duplicates[4] = 2
    search = loop(ScriptedWorkers(script), session, n_trials=32)
    search.run()
    assert trained == [number for number in range(32) if number not in session.duplicates]
    assert sorted(session.finished) == list(range(32))
    assert session.finished[:5] == [0, 1, 2, 3, 4]  # a duplicate waits for the first trial
    assert search.tracker.written == session.finished
    known = {one.number: one for one in search.records}
    for number, first in session.duplicates.items():
        assert known[number].reason == f"same configuration as trial {first}"
        same = ("state", "score", "curve", "seed", "family")
        assert all(getattr(known[number], name) == getattr(known[first], name) for name in same)
        assert known[number].seconds == 0
    again = ScriptedSession()
    again.duplicates = session.duplicates
    loop(ScriptedWorkers(finished, slots=2, choose=max), again, n_trials=32).run()
    assert again.log == session.log


def test_duplicates_sort_out_new_known_and_waiting_trials():
    session = ScriptedSession()
    trials = [session.proposal() for _ in range(4)]
    first_of = {1: 0, 3: 2}
    duplicates = Duplicates()
    new, known = duplicates.sort_out(trials, first_of.get, {0: record(trials[0])})
    assert [trial.number for trial in new] == [0, 2]
    assert [one.number for one in known] == [1]
    assert [run.cohort.trials for run in duplicates.unresolved()] == [(trials[3],)]
    assert [one.number for one in duplicates.results_from(record(trials[2]))] == [3]
    assert duplicates.unresolved() == []
