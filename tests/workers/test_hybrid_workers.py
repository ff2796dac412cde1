"""A thread, and a process for what may not end by itself."""

import time
from dataclasses import replace

import pytest

from automl.errors import StoreError
from automl.workers import open_workers


@pytest.mark.slow
def test_killable_cohort_trains_in_a_process(context, cohort, drive):
    workers = open_workers(context, 1)
    scores = []
    for number, killable in enumerate((False, True, False)):
        workers.submit(replace(cohort({"max_epochs": 2}, number=0), id=number, killable=killable))
        scores.append([record.score for record in drive(workers, 1)[-1].records])
        assert (workers._process is not None) == (number > 0)
    assert scores[0] == pytest.approx(scores[1])
    assert scores[0] == scores[2]
    endless = {"max_epochs": 10**9}
    workers.submit(replace(cohort(endless), id=3, killable=True))
    workers.next(timeout=10)
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 5


def test_killable_cohort_trains_in_the_thread_where_the_disk_is_full(context, cohort, drive, monkeypatch):
    def full(*args):
        raise StoreError("the scratch folder has no space")

    monkeypatch.setattr("automl.workers.hybrid_workers.ProcessWorkers", full)
    workers = open_workers(context, 1)
    workers.submit(replace(cohort({"max_epochs": 2}), killable=True))
    (record,) = drive(workers, 1)[-1].records
    assert record.state == "complete"
    workers.close()
