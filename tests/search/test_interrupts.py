"""Ctrl-C during a search."""

import signal

import pytest

from tests.support.scripted import (
    ScriptedSession,
    ScriptedWorkers,
    at_rung,
    finished,
    loop,
)


def test_interrupt_in_a_callback_ends_the_search():
    def callback(record):
        if record.number == 9:
            raise KeyboardInterrupt

    session = ScriptedSession()
    search = loop(ScriptedWorkers(finished), session, n_trials=80, callbacks=[callback])
    search.run()
    assert search.interrupted
    assert session.finished == sorted(number for cohort in session.proposed for number in cohort)


@pytest.mark.parametrize("how", ["signal", "exception"])
def test_interrupt_ends_the_search(how):
    def script(cohort):
        if cohort.id == 2:
            if how == "exception":
                raise KeyboardInterrupt
            signal.raise_signal(signal.SIGINT)
            yield at_rung(cohort, 1)
        yield from finished(cohort)

    session, workers = ScriptedSession(), ScriptedWorkers(script, slots=2)
    search = loop(workers, session, timeout=60)
    search.run()
    assert search.interrupted
    assert workers.closed == 1
    assert sorted(session.finished) == sorted(number for cohort in session.proposed for number in cohort)
    assert {one.state for one in search.records if one.number < 16} == {"complete"}
    cut = [one for one in search.records if one.state == "stopped"]
    if how == "exception":
        assert {one.reason for one in cut} == {"the search was interrupted"}
        assert {one.number for one in cut} >= set(range(16, 24))
    else:
        assert cut == []  # finished trials are kept
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.slow
def test_second_interrupt_raises():
    def script(cohort):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        yield None

    workers = ScriptedWorkers(script)
    with pytest.raises(KeyboardInterrupt):
        loop(workers, timeout=60).run()
    assert workers.closed == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupt_respects_a_custom_handler():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *args: heard.append(1))

    def script(cohort):
        signal.raise_signal(signal.SIGINT)
        yield from finished(cohort)

    try:
        search = loop(ScriptedWorkers(script), n_trials=2)
        search.run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (len(heard), search.interrupted, len(search.records)) == (2, False, 2)
