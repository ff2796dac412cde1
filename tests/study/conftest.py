import pytest

from automl.families import load_space
from automl.records import SearchRecord, TrialRecord
from automl.study import Session, create_study, make_pruner, make_sampler

SPACE = {
    "space": {
        "preprocess": {"numeric": {"scale": ["standard", "robust"]}},
        "model": {
            "choice": {
                "linear": {
                    "learning_rate": {"low": 1e-3, "high": 0.3, "log": True},
                    "l1": [0, {"low": 1e-6, "high": 0.1, "log": True}],
                    "loss": ["logistic", "hinge"],
                    "max_epochs": 20,
                },
                "mlp": {"hidden_layer_sizes": [[8], [16]], "dropout": {"low": 0, "high": 0.5}},
                "decision_tree": {"max_depth": {"low": 2, "high": 8}},
            }
        },
    },
    "forbid": [{"linear.loss": "hinge", "linear.learning_rate": {"above": 0.1}}],
    "enqueue": [{"model": "mlp", "mlp.hidden_layer_sizes": [16], "mlp.dropout": 0.25}],
}

SEARCH = SearchRecord(
    study_name="s", task="binary", target="y", scoring="roc_auc", space="test", space_digest="0",
    n_rows=100, n_columns=3, n_folds=3, random_state=7,
)  # fmt: skip


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "studies" / "s.journal"


@pytest.fixture
def session(journal):
    def session(space=SPACE, sampler="random", pruner="none", resume=False):
        study = create_study(
            "s", journal, sampler=make_sampler(sampler, 7), pruner=make_pruner(pruner), resume=resume
        )
        return Session(study, load_space(space), SEARCH)

    return session


def _record(proposal, state="complete", score=0.5, **more):
    return TrialRecord(**proposal.model_dump(), state=state, family="linear", score=score, **more)


@pytest.fixture(scope="session")
def record():
    return _record
