"""Callbacks and patience."""

import random
from itertools import count

import pytest

from automl.workers import (
    Finished,
)
from tests.support.scripted import (
    ScriptedSession,
    ScriptedWorkers,
    finished,
    loop,
    record,
)


def best_at(number):
    def script(cohort):
        scores = {one.number: 0.9 if one.number == number else 0.5 for one in cohort.trials}
        yield Finished(cohort, [record(one, score=scores[one.number]) for one in cohort.trials])

    return script


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slots", [1, 2])
def test_patience_ends_the_search(slots, seed):
    chance = random.Random(seed)
    session = ScriptedSession()
    workers = ScriptedWorkers(best_at(12), slots, choose=lambda at_work: chance.choice(list(at_work)))
    search = loop(workers, session, n_trials=100, patience=20)
    search.run()
    # Cohorts of 8: the 20th later trial finishes with the fifth cohort, after the sixth was proposed.
    assert [one.number for one in search.records] == list(range(48))


def test_patience_counts_earlier_trials():
    known = [record(ScriptedSession().proposal().model_copy(update={"number": i})) for i in range(30)]
    for patience, more in ((30, 8), (29, 0)):
        session = ScriptedSession()
        session.numbers = count(30)
        search = loop(ScriptedWorkers(finished), session, n_trials=100, known=known, patience=patience)
        search.run()
        assert len(search.records) <= 30 + 2 * more
        assert (len(search.records) > 30) == bool(more)


def test_callbacks_receive_trials_in_order_and_may_stop():
    called, session = [], ScriptedSession()
    session.duplicates = {3: 2}

    def callback(record):
        assert record.number == session.finished[-1]
        called.append(record.number)
        if record.number == 20:
            search.stop()

    search = loop(ScriptedWorkers(finished, slots=2), session, n_trials=80, callbacks=[callback])
    search.run()
    assert called == session.finished == list(range(32))  # proposed trials still finish
    assert {one.state for one in search.records} == {"complete"}


def test_callback_error_ends_the_search():
    called = []

    def callback(record):
        called.append(record.number)
        if record.number == 9:
            raise ZeroDivisionError("mine")

    def script(cohort):
        if cohort.id > 1:
            yield from [None] * 5  # still training
        yield from finished(cohort)

    session = ScriptedSession()
    workers = ScriptedWorkers(script, slots=2)
    search = loop(workers, session, n_trials=80, callbacks=[callback])
    with pytest.raises(ZeroDivisionError, match="mine"):
        search.run()
    assert called == list(range(10))
    assert session.finished == sorted(number for cohort in session.proposed for number in cohort)
    cut = [one for one in search.records if one.state == "stopped"]
    assert cut
    assert {one.reason for one in cut} == {"a callback raised ZeroDivisionError"}
    assert workers.closed == 1
    assert not search.interrupted
