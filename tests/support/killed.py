"""A search in a child process that is killed at a given trial."""

import os
import signal


def killed_after(n_trials, search):
    """Search in a child process that is killed when that many trials have ended."""
    ended = []

    def kill(study, trial):
        ended.append(trial)
        if len(ended) == n_trials:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        try:
            search(callbacks=[kill])
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
