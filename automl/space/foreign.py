"""Classes that a space names by their path: their parameters, and a test whether their defaults train.

Only public means of scikit-learn are used: ``get_params`` names the parameters, and ``fit`` checks them before it
looks at the data, so that a fit on nothing separates valid values from invalid ones.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import Parameter as Argument
from inspect import signature
from itertools import chain, repeat
from typing import Any

import numpy as np

from automl.constraints import Anything, Constraint, Number, Parameter, Section, Union
from automl.space import containers
from automl.space.leaves import Constant
from automl.space.nodes import ValueSource
from automl.space.rules import Forbidden
from automl.space.syntax import FAMILY_PARAM, join, show
from automl.space.tree import DefaultSource, RandomSource, by_family, families, instantiate, params_of
from automl.time_limit import in_time

__all__ = ["IMPORTABLE", "BrokenBranch", "SmokeTest", "broken_branches", "estimator_section"]

SmokeTest = Callable[[str, Mapping[str, Any]], str | None]
"""From task and configuration to the error of a tiny fit: empty if it trains, None if it is for other tasks.

It raises TimeoutError if the fit takes too long.
"""

_MAX_DRAWS = 200  # of a default configuration, where the defaults are forbidden
_CHECK_SECONDS = 1.5  # for a fit without data, which takes milliseconds
_TEST_HELPERS = ("tests", "testing", "conftest", "estimator_checks")
IMPORTABLE = ("sklearn", "automl", "lightgbm", "xgboost", "catboost")


def estimator_section(path: str, allow_imports: Iterable[str] = ()) -> Section:
    """Return the parameters of a scikit-learn-compatible class.

    Parameters
    ----------
    path : str
        Its path, e.g. ``sklearn.ensemble.ExtraTreesClassifier``.
    allow_imports : iterable of str
        Packages that may be imported besides `IMPORTABLE`.

    Returns
    -------
    Section
        A parameter for each argument of the class, with its default.

    Raises
    ------
    ValueError
        With the rule and perhaps a remedy, if the path must not be imported or is not of such a class.
    """
    package, _, _ = path.partition(".")
    allowed = (*IMPORTABLE, *allow_imports)
    if package not in allowed:
        raise ValueError(f"must be of {', '.join(allowed)}", "Other packages must be named in allow_imports.")
    if any(part.startswith(("_", "test_")) or part in _TEST_HELPERS for part in path.split(".")):
        raise ValueError(
            "must be the path of a public class", "Names with _ in front and helpers of tests are not."
        )
    return _section(path)


@cache
def _section(path: str) -> Section:
    module_name, _, name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except Exception as error:  # importing runs the module, so any error is possible
        package = path.partition(".")[0]
        absent = isinstance(error, ModuleNotFoundError) and error.name == package
        remedy = f"Install {package} first." if absent else ""
        raise ValueError("must be the path of a class that can be imported", remedy) from None
    make = getattr(module, name, None)
    if not isinstance(make, type) or not all(
        hasattr(make, method) for method in ("fit", "predict", "get_params")
    ):
        close = get_close_matches(name, dir(module), n=1)
        hint = f'Did you mean "{module_name}.{close[0]}"?' if close and make is None else ""
        raise ValueError("must be a class with fit, predict and get_params", hint)
    try:
        # Some classes with **kwargs list their parameters in get_params, others only those that were given.
        defaults = {**_arguments(make), **make().get_params(deep=False)}
    except Exception as error:  # the class may raise any error
        raise ValueError(f"must be a class that can be made without arguments ({error})") from None
    checks = any(not _Accepted(make, key).accepts(_Nothing()) for key in defaults)
    return Section(
        {
            key: Parameter(_Accepted(make, key) if checks else _unchecked(value), value)
            for key, value in defaults.items()
        }
    )


def _unchecked(default: Any) -> Constraint:
    """Return the rule for a class that checks nothing: any value, and fractions where the default is a float."""
    return Union((Number(), Anything())) if isinstance(default, float) else Anything()


def _arguments(make: Callable[..., Any]) -> dict[str, Any]:
    """Return the named arguments of a class with their defaults."""
    named = (Argument.POSITIONAL_OR_KEYWORD, Argument.KEYWORD_ONLY)
    return {
        name: argument.default
        for name, argument in signature(make).parameters.items()
        if argument.kind in named and argument.default is not Argument.empty
    }


@dataclass(frozen=True)
class _Accepted(Constraint):
    """The values that a class accepts for one of its parameters."""

    make: Callable[..., Any]
    parameter: str

    def accepts(self, value: Any) -> bool:
        return not self._error(value)

    def describe(self) -> str:
        # A value of no known type yields the rule: "... must be an int in the range [1, inf). Got"
        _, found, rule = self._error(_Nothing()).partition(" must be ")
        rule = re.sub(r"\{([^}]*)\}", lambda names: ", ".join(sorted(names[1].split(", "))), rule)
        return (
            rule.partition(". Got ")[0]
            if found
            else f"a value that {getattr(self.make, '__name__', 'the class')} accepts"
        )

    def _error(self, value: Any) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = self.make(**{self.parameter: value})
            except Exception as error:  # the class may raise any error
                return str(error) or type(error).__name__
            if self.make in _SLOW:
                return ""
            try:
                in_time(lambda: made.fit(None, None), _CHECK_SECONDS, interrupt=True)
            except TimeoutError:  # it checks nothing before it trains
                _SLOW.add(self.make)
                return ""
            except Exception as error:  # always: there is no data
                # InvalidParameterError has no public module, so its name is compared.
                return str(error) if type(error).__name__ == "InvalidParameterError" else ""
        return ""


_SLOW: set[Callable[..., Any]] = set()  # classes that did not end without data


class _Nothing:
    """A value of a type that no parameter accepts."""


@dataclass(frozen=True)
class BrokenBranch:
    """A branch whose default configuration does not train.

    Parameters
    ----------
    family : str
        The name of the branch.
    params : str
        Its parameters in the default configuration.
    error : str
        The message of the class.
    """

    family: str
    params: str
    error: str


def broken_branches(
    root: containers.Section, forbid: Sequence[Forbidden], tasks: Sequence[str], smoke_test: SmokeTest
) -> list[BrokenBranch]:
    """Return the branches whose default configuration trains for none of the tasks."""
    found = []
    for family, part in by_family(root):
        configuration = _default_configuration(part, family, forbid) if family else None
        if configuration is None:
            continue
        errors: list[str] = []
        for task in tasks:
            try:
                error = smoke_test(task, configuration)
            except TimeoutError as late:  # each further task could take as long
                errors = [str(late)]
                break
            errors += [] if error is None else [error]
            if error == "":
                break
        if errors and all(errors):
            found.append(BrokenBranch(family, _as_text(part, family, configuration), errors[0]))
    return found


def _default_configuration(
    part: containers.Section, family: str, forbid: Sequence[Forbidden]
) -> dict[str, Any] | None:
    """Return a configuration that is not forbidden, of defaults of the class and first options if possible."""
    above = join(FAMILY_PARAM, family)
    path = families(part)[family].children.get("estimator")
    defaults = _section(path.value).defaults() if isinstance(path, Constant) else {}
    source: ValueSource = DefaultSource({join(above, key): value for key, value in defaults.items()})
    drawn: Iterator[ValueSource] = repeat(RandomSource(np.random.default_rng(0)), _MAX_DRAWS if forbid else 0)
    for configuration in (instantiate(part, one) for one in chain((source,), drawn)):
        params = params_of(part, configuration) if forbid else {}
        if not any(rule.forbids(params) for rule in forbid):
            return configuration
    return None


def _as_text(part: containers.Section, family: str, configuration: Mapping[str, Any]) -> str:
    """Return a configuration as text: the parameters of the branch first, then the shared preprocessing."""
    above = join(FAMILY_PARAM, family)
    params = {path: value for path, value in params_of(part, configuration).items() if path != FAMILY_PARAM}
    own = {path.removeprefix(f"{above}."): value for path, value in params.items() if path.startswith(above)}
    shared = {path: value for path, value in params.items() if not path.startswith(above)}
    return ", ".join(f"{key}: {show(value)}" for key, value in {**own, **shared}.items())
