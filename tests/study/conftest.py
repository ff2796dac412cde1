import pytest

from automl.families import load_space
from automl.records import TrialRecord
from automl.study import Session, create_study, make_pruner, make_sampler
from tests.support.studies import SEARCH, SPACE


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "studies" / "s.journal"


@pytest.fixture
def make_session(journal):
    def make_session(space=SPACE, sampler="random", pruner="none", resume=False):
        study = create_study(
            "s", journal, sampler=make_sampler(sampler, 7), pruner=make_pruner(pruner), resume=resume
        )
        return Session(study, load_space(space), SEARCH)

    return make_session


def _record(proposal, state="complete", score=0.5, **more):
    return TrialRecord(**proposal.model_dump(), state=state, family="linear", score=score, **more)


@pytest.fixture(scope="session")
def record():
    return _record
