"""The program of a Ray actor, called directly: it needs no Ray."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest

from automl.workers.ray_trainer import AtRung, Ended, Failed, RayTrainer, TooLarge

MODELS = [{"max_epochs": 6, "learning_rate": rate} for rate in (0.001, 0.01, 0.1)]
NO_LIMIT = float("inf")


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    """Close the trainers of a test, and restore the filters of warnings."""
    made, init = [], RayTrainer.__init__

    def keep(trainer, *args):
        init(trainer, *args)
        made.append(trainer)

    monkeypatch.setattr(RayTrainer, "__init__", keep)
    with warnings.catch_warnings():
        yield
    for trainer in made:
        trainer.close()


def started(context, cohort, *, draining=False, memory=NO_LIMIT):
    """Return a trainer, and the first message of a cohort."""
    trainer = RayTrainer(context, 1, lambda: draining)
    matrices = list(trainer.prepare(cohort.trials[0].preprocess))
    return trainer, trainer.start(cohort, 60.0, memory, *matrices)


def to_its_end(trainer, message):
    """Answer all questions; return all messages."""
    messages = [message]
    while isinstance(messages[-1], AtRung):
        messages.append(trainer.reply(set()))
    return messages


def test_messages_of_a_cohort_are_small(context, cohort, tmp_path):
    kept = replace(context, predictions=tmp_path / "elsewhere")
    *questions, end = to_its_end(*started(kept, cohort(*MODELS)))
    assert [question.rung for question in questions] == [1, 2, 4, 6]
    assert all(len(pickle.dumps(question)) < 500 for question in questions)
    seconds = [question.seconds for question in questions]
    assert seconds[0] > 0
    assert seconds == sorted(seconds)
    assert isinstance(end, Ended)
    assert end.reusable
    assert sorted(end.predictions) == [f"{n}.probabilities.npy" for n in range(3)]
    assert not (tmp_path / "elsewhere").exists()  # a folder of the caller's machine
    predictions = 4 * 2 * len(context.y) * len(MODELS)
    assert len(pickle.dumps(end)) < predictions + 5_000


def test_trainer_writes_no_file(context, cohort, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kept = replace(context, predictions=tmp_path / "elsewhere", models=tmp_path / "models")
    end = to_its_end(*started(kept, cohort(*MODELS)))[-1]
    assert len(end.predictions) == 3
    assert list(tmp_path.iterdir()) == []  # an actor is killed, so it could not remove them


def test_predictions_of_a_failed_cohort_are_not_sent(context, cohort, tmp_path):
    trainer = RayTrainer(replace(context, predictions=tmp_path), 1, lambda: False)
    trainer._packed["7.values.npy"] = b""  # as if a cohort had failed after a trial
    for number in range(2):
        matrices = list(trainer.prepare({}))
        first = trainer.start(cohort({"max_epochs": 1}, number=number), 60.0, NO_LIMIT, *matrices)
        end = to_its_end(trainer, first)[-1]
        assert list(end.predictions) == [f"{10 * number}.probabilities.npy"]


def test_matrices_are_used_as_they_arrive(context, cohort):
    trainer = RayTrainer(context, 1, lambda: False)
    matrices = [(np.zeros_like(X), np.zeros_like(X_valid)) for X, X_valid in trainer.prepare({})]
    end = to_its_end(trainer, trainer.start(cohort(*MODELS), 60.0, NO_LIMIT, *matrices))[-1]
    assert {record.score for record in end.records} == {0.5}


def test_draining_node_is_not_reusable(context, cohort):
    end = to_its_end(*started(context, cohort({"max_epochs": 1}), draining=True))[-1]
    assert not end.reusable


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("draining", [True, False])
def test_draining_node_is_not_reusable_after_a_fault(context, cohort, draining):
    trainer = RayTrainer(context, 1, lambda: draining)
    message = trainer.start(replace(cohort(*MODELS), trials=()), 60.0, NO_LIMIT)
    assert isinstance(message, Failed)
    assert message.reusable is not draining


def test_deadline_is_counted_from_the_start(context, cohort):
    trainer = RayTrainer(context, 1, lambda: False)
    matrices = list(trainer.prepare({}))
    # The clock of the caller may be wrong: only the seconds count.
    late = replace(cohort({"max_epochs": 10**7}), deadline=0.0)
    end = to_its_end(trainer, trainer.start(late, 0.5, NO_LIMIT, *matrices))[-1]
    assert [record.state for record in end.records] == ["stopped"]
    assert end.records[0].curve.rungs


def test_deadline_is_counted_from_the_announcement(context, cohort):
    trainer = RayTrainer(context, 1, lambda: False)
    trainer.announce(0)
    matrices = list(trainer.prepare({}))
    trainer._announced = 0, trainer._announced[1] - 100.0  # as if they had taken long
    end = to_its_end(trainer, trainer.start(cohort({"max_epochs": 10**7}), 100.0, NO_LIMIT, *matrices))[-1]
    assert [(record.state, record.curve.rungs) for record in end.records] == [("stopped", ())]
    assert end.records[0].seconds >= 100
    assert (
        0 < end.records[0].prepare_seconds < 50
    )  # the rest is a wait for others, which says nothing of later trials
    trainer._announced = 0, float("-inf")  # of another cohort
    end = trainer.start(cohort({"max_epochs": 10**7}, number=1), 0.5, NO_LIMIT, *matrices)
    assert isinstance(end, AtRung)


def test_preparation_counts_for_the_cohort_that_it_was_for(context, cohort):
    trainer, shares = RayTrainer(context, 1, lambda: False), []
    for number in range(2):
        trainer.announce(number)
        if number == 0:
            matrices = list(trainer.prepare({}))
            trainer._preparing += 8.0
        trainer._announced = number, trainer._announced[1] - 10.0
        two = cohort({"max_epochs": 1}, {"max_epochs": 1}, number=number)
        end = to_its_end(trainer, trainer.start(two, 60.0, NO_LIMIT, *matrices))[-1]
        shares.append([round(record.prepare_seconds) for record in end.records])
        assert [record.seconds > 5 for record in end.records] == [True, True]
    assert shares == [[4, 4], [0, 0]]


def test_too_much_memory_is_reported(context, cohort):
    trainer, message = started(context, cohort({"max_epochs": 10**7, "batch_size": 1}), memory=1.0)
    messages = [message]
    while isinstance(messages[-1], AtRung):
        messages.append(trainer.reply(set()))
    assert isinstance(messages[-1], TooLarge)
    assert messages[-1].n_bytes > 1


def test_result_of_a_process_that_is_too_large_is_kept(context, cohort):
    trainer, message = started(context, cohort({"max_epochs": 1}))
    assert isinstance(message, AtRung)
    trainer._asked.reply(set())
    trainer._workers._thread.join(60)
    trainer._memory, trainer._measured = 1.0, float("-inf")  # the next look at the memory is due
    end = trainer.reply(set())
    assert [record.state for record in end.records] == ["complete"]
    assert not end.reusable


@pytest.mark.filterwarnings("ignore")
def test_fault_of_a_cohort_is_a_message(context, cohort):
    trainer = RayTrainer(context, 1, lambda: False)
    broken = replace(cohort(*MODELS), trials=())
    message = trainer.start(broken, 60.0, NO_LIMIT)
    assert isinstance(message, Failed)
    assert "IndexError" in message.reason


def test_fault_of_the_preparation_reaches_the_trials(context, cohort):
    wrong = replace(context, column_types={**context.column_types, "kind": "numeric"})
    trainer = RayTrainer(wrong, 1, lambda: False)
    matrices = list(trainer.prepare({}))
    assert len(matrices) == 3
    assert all("could not convert string to float" in one for one in matrices)
    end = trainer.start(cohort(*MODELS), 60.0, NO_LIMIT, *matrices)
    assert [record.state for record in end.records] == ["failed"] * 3
