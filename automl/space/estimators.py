"""Classes a space may name by their path, and what may be said of their parameters.

Only public means of scikit-learn are used: ``get_params`` names the parameters, and ``fit`` checks them
before it looks at the data, so that fitting on nothing tells a wrong value from a right one.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from inspect import Parameter as Argument
from inspect import signature
from typing import Any

from automl.constraints import Anything, Constraint, Number, Parameter, Section, Union

__all__ = ["IMPORTABLE", "estimator_section"]

IMPORTABLE = ("sklearn", "automl", "lightgbm", "xgboost", "catboost")


def estimator_section(path: str, allow_imports: Iterable[str] = ()) -> Section:
    """Return the parameters of a scikit-learn-compatible class.

    Parameters
    ----------
    path : str
        Where it is, e.g. ``sklearn.ensemble.ExtraTreesClassifier``.
    allow_imports : iterable of str
        Packages that may be imported besides `IMPORTABLE`.

    Returns
    -------
    Section
        A parameter for each argument of the class, with its default.

    Raises
    ------
    ValueError
        With the rule, and perhaps a remedy, where the path must not be imported or holds no such class.
    """
    package, _, _ = path.partition(".")
    allowed = (*IMPORTABLE, *allow_imports)
    if package not in allowed:
        raise ValueError(f"must be of {', '.join(allowed)}", "Other packages must be named in allow_imports.")
    return _section(path)


@cache
def _section(path: str) -> Section:
    module_name, _, name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except Exception as error:  # importing runs the module, so anything may come
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
        # Classes that take what they are given by **kwargs tell it by get_params; others tell what was given alone.
        defaults = {**_arguments(make), **make().get_params(deep=False)}
    except Exception as error:  # any class of any package, so anything may come
        raise ValueError(f"must be a class that can be made without arguments ({error})") from None
    checks = any(not _Accepted(make, key).accepts(_Nothing()) for key in defaults)
    return Section(
        {
            key: Parameter(_Accepted(make, key) if checks else _like(value), value)
            for key, value in defaults.items()
        }
    )


def _like(default: Any) -> Constraint:
    """Return a rule for a class that checks nothing: anything goes, and a default tells what takes fractions."""
    return Union((Number(), Anything())) if isinstance(default, float) else Anything()


def _arguments(make: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments that a class names, with their defaults."""
    named = (Argument.POSITIONAL_OR_KEYWORD, Argument.KEYWORD_ONLY)
    return {
        name: argument.default
        for name, argument in signature(make).parameters.items()
        if argument.kind in named and argument.default is not Argument.empty
    }


@dataclass(frozen=True)
class _Accepted(Constraint):
    """What a class takes for one of its parameters."""

    make: Callable[..., Any]
    parameter: str

    def accepts(self, value: Any) -> bool:
        return not self._complaint(value)

    def describe(self) -> str:
        # A value that nothing accepts brings out the rule: "... must be an int in the range [1, inf). Got"
        _, found, rule = self._complaint(_Nothing()).partition(" must be ")
        rule = re.sub(r"\{([^}]*)\}", lambda names: ", ".join(sorted(names[1].split(", "))), rule)
        return rule.partition(". Got ")[0] if found else f"what {getattr(self.make, '__name__', 'it')} takes"

    def _complaint(self, value: Any) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                made = self.make(**{self.parameter: value})
            except Exception as error:  # any class of any package, so anything may come
                return str(error) or type(error).__name__
            try:
                made.fit(None, None)
            except Exception as error:  # fitting on nothing always fails; how it does is the answer
                # The class has no public home; scikit-learn's are told by the name.
                return str(error) if type(error).__name__ == "InvalidParameterError" else ""
        return ""


class _Nothing:
    """A value of no kind that any parameter takes."""
