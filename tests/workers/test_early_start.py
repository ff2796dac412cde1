"""A thread for the first quick trial, while worker processes start."""

import pytest

from automl.workers import open_workers


@pytest.mark.slow
def test_first_quick_cohort_trains_while_processes_start(context, cohort, drive):
    quick = {"quick_linear": {"l2": 1.0}}
    workers = open_workers(context, 2)
    try:
        workers.submit(cohort(quick, number=0))
        workers.submit(cohort(quick, number=1))
        ids = [drive(workers, 1)[-1].cohort.id for _ in range(2)]
        workers.submit(cohort(quick, number=0))
        in_process = drive(workers, 1)[-1].records
    finally:
        workers.close()
    assert ids == [0, 1]
    in_thread = open_workers(context, 1)
    try:
        in_thread.submit(cohort(quick, number=0))
        assert [record.score for record in drive(in_thread, 1)[-1].records] == [
            record.score for record in in_process
        ]
    finally:
        in_thread.close()


def test_first_cohort_trains_in_a_process_unless_quick(context, cohort):
    workers = open_workers(context, 2)
    try:
        workers.submit(cohort({"max_epochs": 1}))
        assert workers._thread is None
    finally:
        workers.close()
