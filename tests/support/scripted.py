"""Stand-ins for the session, workers, clock and tracker of a search loop."""

from itertools import count

from automl.records import Curve, SearchRecord, TrialRecord, TrialSpec
from automl.search import Admission, Budget, Loop, Observers, SearchSpec
from automl.study import RemoteUpdates
from automl.tracking import NullProgress
from automl.workers import Finished, RungReached, Workers

EPOCHS = 4


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class ScriptedSession:
    """Proposes numbered trials, records each call, and prunes the trials that the test names."""

    def __init__(self, family="linear", prune=()):
        self.log, self.prune, self.family = [], set(prune), family
        self.numbers, self.reports, self.duplicates, self.sees = count(), [], {}, {}

    remote_trials: frozenset[int] = frozenset()

    def poll_remote(self):
        return RemoteUpdates()

    def propose(self, size, sees, cost=None):
        leader = self.proposal()
        cohort = (leader, *(self.proposal() for _ in range(size(leader) - 1)))
        self.log.append(("propose", tuple(one.number for one in cohort)))
        self.sees |= {one.number: sees for one in cohort}
        return cohort

    def proposal(self):
        params = {"max_epochs": EPOCHS} if self.family == "linear" else {}
        number = next(self.numbers)
        return TrialSpec(
            number=number, configuration={"model": {self.family: params}}, params={}, seed=number
        )

    exhausted, prunes = False, False

    def floor(self, number):
        return None

    def duplicate(self, number):
        return self.duplicates.get(number)

    def report(self, rung, scores):
        (sees,) = {self.sees[number] for number in scores}
        seen = {number for number in self.sees if sees is None or number < sees} | set(scores)
        self.reports.append((rung, dict(scores), seen))
        return self.prune & set(scores)

    def tell(self, record):
        self.log.append(("tell", record.number))
        return True

    @property
    def finished(self):
        """Return the numbers of the finished trials, in the order of ``tell``."""
        return [number for what, number in self.log if what == "tell"]

    @property
    def proposed(self):
        return [numbers for what, numbers in self.log if what == "propose"]


class ScriptedWorkers(Workers):
    """Yields the events of ``script(cohort)``; ``choose`` picks the cohort that reports next."""

    def __init__(self, script, slots=1, choose=min):
        super().__init__(slots)
        self.script, self.choose = script, choose
        self.at_work, self.closed, self.most = {}, 0, 0

    def submit(self, cohort):
        self.at_work[cohort.id] = iter(self.script(cohort))
        self.most = max(self.most, len(self.at_work))

    def next(self, timeout=None):
        if not self.at_work:
            return None
        chosen = self.choose(self.at_work)
        event = next(self.at_work[chosen])
        if event is not None and not isinstance(event, RungReached):
            del self.at_work[chosen]
        return event

    def close(self):
        self.closed += 1


class ScriptedTracker:
    """Records the numbers of the logged trials."""

    def __init__(self):
        self.written = []

    def log_trial(self, record):
        self.written.append(record.number)

    def backlog(self, more=0):
        return 0.01 * more


def record(proposal, seconds=0.5, score=0.5):
    ((family, _),) = proposal.configuration["model"].items()
    return TrialRecord(
        **proposal.model_dump(), state="complete", family=family, score=score, seconds=seconds,
        curve=Curve(rungs=(1, EPOCHS), scores=(0.4, score)),
    )  # fmt: skip


def finished(cohort, seconds=0.5):
    yield Finished(cohort, [record(proposal, seconds) for proposal in cohort.trials])


def at_rung(cohort, rung, replies=None):
    scores = {proposal.number: 0.1 * rung for proposal in cohort.trials}
    return RungReached(cohort, rung, scores, (replies if replies is not None else []).append)


def search_spec(shape=(100, 5, 3), epoch_steps=1, fidelity=None, **settings):
    """Return a search for a table of that many rows and columns, and that many folds."""
    n_rows, n_columns, n_folds = shape
    facts = SearchRecord(
        study_name="s", task="binary", target="y", scoring="roc_auc", space="s", space_digest="0",
        n_rows=n_rows, n_columns=n_columns, n_folds=n_folds, random_state=0, epoch_steps=epoch_steps,
    )  # fmt: skip
    return SearchSpec(facts=facts, settings={"refit": False, **settings}, fidelity=fidelity or {})


def admission(workers, *, clock=None, tracker=None, slowness=1.0, **spec):
    spec = search_spec(**spec)
    budget = Budget(spec.timeout, spec.n_trials, clock=clock or Clock())
    return Admission(spec, budget, workers, tracker or ScriptedTracker(), slowness)


def loop(workers, session=None, *, clock=None, tracker=None, known=(), callbacks=(), slowness=1.0, **spec):
    """Return a search loop, with its parts as attributes ``admission`` and ``tracker``."""
    tracker, session = tracker or ScriptedTracker(), session or ScriptedSession()
    session.records = known
    decides = admission(workers, clock=clock, tracker=tracker, slowness=slowness, **spec)
    made = Loop(search_spec(**spec), session, workers, decides, Observers(tracker, NullProgress(), callbacks))
    made.admission, made.tracker = decides, tracker
    return made
