"""What a trial is: the architecture its cohort shares, its own recipe, and the rules of both as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from automl.constraints import ListOf, Number, OneOf, Parameter, Section, Union, Variants, named
from automl.descent.activations import ACTIVATIONS
from automl.descent.losses import DEFAULT_LOSSES, LOSSES
from automl.descent.normalization import NORMALIZATIONS
from automl.descent.optimizers import OPTIMIZERS
from automl.descent.schedules import SCHEDULES
from automl.errors import Fault, InputError, nearest

__all__ = ["PARAMETERS", "Architecture", "Recipe", "faults", "from_configuration", "parameters"]


@dataclass(frozen=True)
class Architecture:
    """What must be equal within a cohort.

    Parameters
    ----------
    loss : str
        A key of `LOSSES`.
    hidden_layer_sizes : tuple of int
        Units of each hidden layer; none: a linear model.
    activation : str
        A key of the activations: what follows each hidden layer.
    normalization : {"layer", "batch"}, optional
        What stands between a hidden layer and its activation.
    loss_params : mapping
        The loss's own parameters.
    embeddings : tuple of (int, int)
        For each of the last columns of the rows, which then hold codes from 0: how many codes there are, and
        the length of the vectors that are learned for them.
    """

    loss: str
    hidden_layer_sizes: tuple[int, ...] = ()
    activation: str = "relu"
    normalization: str | None = None
    loss_params: Mapping[str, Any] = field(default_factory=dict)
    embeddings: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What varies freely within a cohort; `PARAMETERS` tells the meaning and the range of each field."""

    optimizer: str = "adam"
    optimizer_params: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = 1e-3
    schedule: str = "constant"
    schedule_params: Mapping[str, Any] = field(default_factory=dict)
    warmup: float = 0.0
    batch_size: int | str = 32
    max_epochs: int = 100
    l1: float = 0.0
    l2: float = 1e-4
    weight_decay: float = 0.0
    dropout: float = 0.0
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    average: float = 0.0
    seed: int = 0


EMBEDDINGS = Parameter(
    ListOf(ListOf(Number(1, integer=True), min_length=2)),
    (),
    "codes and length of learned vectors, for each of the last columns, which hold codes from 0",
)
"""Follows from the table rather than from a search, and so is no row of `PARAMETERS`."""

_SEED = Parameter(Number(0, integer=True), 0, "what initial weights and dropout are derived from")
_POSITIVE = Number(0, open_low=True)
_SHARE = Number(0, 1, open_high=True)


def parameters(task: str | None = None) -> dict[str, Parameter]:
    """Return every parameter of a model by name: its rule, its default and a line about it.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}, optional
        Keep the losses that fit the task, and its default loss.

    Examples
    --------
    >>> parameters("regression")["loss"].default
    'squared'
    >>> parameters()["optimizer"].constraint.accepts({"momentum": {"momentum": 0.5}})
    True
    """
    losses = {name: row for name, row in LOSSES.items() if task is None or task in row.tasks}
    return {
        "loss": Parameter(
            Variants({name: Section(row.parameters) for name, row in losses.items()}),
            DEFAULT_LOSSES[task or "binary"],
            "what is minimised",
        ),
        "hidden_layer_sizes": Parameter(
            ListOf(Number(1, integer=True)), (), "units of each hidden layer; empty for a linear model"
        ),
        "activation": Parameter(OneOf(tuple(ACTIVATIONS)), "relu", "function after each hidden layer"),
        "normalization": Parameter(
            OneOf((None, *NORMALIZATIONS)), None, "of hidden units: each row over its units, or by batch"
        ),
        "optimizer": Parameter(
            Variants({name: Section(row.parameters) for name, row in OPTIMIZERS.items()}),
            "adam",
            "how a gradient becomes a step",
        ),
        "learning_rate": Parameter(_POSITIVE, 1e-3, "size of a step"),
        "schedule": Parameter(
            Variants({name: Section(row.parameters) for name, row in SCHEDULES.items()}),
            "constant",
            "how the learning rate changes by epoch",
        ),
        "warmup": Parameter(Number(0), 0.0, "epochs over which the learning rate rises from zero"),
        "batch_size": Parameter(
            Union((Number(1, integer=True), OneOf(("full",)))),
            32,
            "rows a step: 1 is stochastic, full is plain gradient descent",
        ),
        "max_epochs": Parameter(Number(1, integer=True), 100, "passes over the rows"),
        "l1": Parameter(Number(0), 0.0, "lasso penalty on weights, by proximal steps: exact zeros"),
        "l2": Parameter(Number(0), 1e-4, "ridge penalty on weights, l2 / 2 times their squares"),
        "weight_decay": Parameter(
            Number(0), 0.0, "decoupled decay of weights, times the learning rate a step"
        ),
        "dropout": Parameter(_SHARE, 0.0, "share of hidden units silenced at random in training"),
        "clip_norm": Parameter(
            Union((_POSITIVE, OneOf((None,)))), None, "longest gradient; null: gradients are not clipped"
        ),
        "label_smoothing": Parameter(
            _SHARE, 0.0, "share of each label spread over all classes; for logistic and softmax"
        ),
        "average": Parameter(
            _SHARE, 0.0, "share of the epochs, the last ones, over which weights are averaged"
        ),
    }


PARAMETERS: dict[str, Parameter] = parameters()

_PARAMS_OF = {"loss": "loss_params", "optimizer": "optimizer_params", "schedule": "schedule_params"}


def faults(values: Mapping[str, Any], rules: Mapping[str, Parameter], where: str = "") -> list[Fault]:
    """Return every rule that ``values`` break.

    Parameters
    ----------
    values : mapping
        Fields by name; variants spread over two, ``optimizer`` and ``optimizer_params``.
    rules : mapping of str to Parameter
        As `parameters` gives them; values without a rule pass.
    where : str
        What stands before each name in a fault.
    """
    found: list[Fault] = []
    for name, rule in rules.items():
        if name not in values:
            continue
        value, constraint = values[name], rule.constraint
        if value is rule.default and name not in _PARAMS_OF:
            continue
        if isinstance(constraint, Variants):
            if not isinstance(value, str) or value not in constraint.options:
                remedy = nearest(str(value), list(constraint.options))
                found.append(Fault(where + name, f"must be {constraint.describe()}", repr(value), remedy))
                continue
            found += _params_faults(values, where + _PARAMS_OF[name], constraint.options[value], name)
        elif not constraint.accepts(value):
            found.append(Fault(where + name, f"must be {constraint.describe()}", repr(value)))
    return found


def _params_faults(values: Mapping[str, Any], where: str, section: Section, name: str) -> Iterable[Fault]:
    params = values.get(_PARAMS_OF[name]) or {}
    if not isinstance(params, Mapping):
        yield Fault(where, "must be a mapping", repr(params))
        return
    for key, value in params.items():
        rule = section.parameters.get(key)
        if rule is None:
            known = nearest(key, list(section.parameters)) if section.parameters else "It has none."
            yield Fault(f"{where}.{key}", f"must be a parameter of {values[name]}", repr(key), known)
        elif not rule.constraint.accepts(value):
            yield Fault(f"{where}.{key}", f"must be {rule.constraint.describe()}", repr(value))


def check(architecture: Architecture, recipes: Iterable[Recipe]) -> None:
    """Raise one `InputError` with every rule that an architecture and its recipes break."""
    found = faults(_values(architecture), PARAMETERS | {"embeddings": EMBEDDINGS})
    rules = PARAMETERS | {"seed": _SEED}
    for i, recipe in enumerate(recipes):
        found += faults(_values(recipe), rules, f"recipes[{i}].")
    if found:
        raise InputError(found)


def _values(record: Architecture | Recipe) -> dict[str, Any]:
    return vars(record)


def from_configuration(
    configuration: Mapping[str, Any], task: str, seed: int = 0
) -> tuple[Architecture, Recipe]:
    """Return the architecture and the recipe of a configuration with the keys of `parameters`.

    Parameters
    ----------
    configuration : mapping
        Plain values; variants as a name or ``{name: {parameter: value}}``; what is left out takes its
        default.
    task : {"binary", "multiclass", "regression"}
        Decides the default loss.
    seed : int
        The recipe's seed.

    Raises
    ------
    InputError
        With every rule the configuration breaks.

    Examples
    --------
    >>> architecture, recipe = from_configuration({"optimizer": {"momentum": {"momentum": 0.5}}}, "binary")
    >>> architecture.loss, recipe.optimizer, recipe.optimizer_params
    ('logistic', 'momentum', {'momentum': 0.5})
    """
    rules = parameters(task)
    values: dict[str, Any] = {name: rule.default for name, rule in rules.items()}
    unknown = [
        Fault(name, "must be a parameter of the model", repr(name), nearest(name, list(rules)))
        for name in configuration
        if name not in rules
    ]
    values |= {name: value for name, value in configuration.items() if name in rules}
    for name, params in _PARAMS_OF.items():
        if isinstance(values[name], Mapping) and len(values[name]) == 1:
            values[name], values[params] = named(values[name])
    found = unknown + faults(values, rules)
    if found:
        raise InputError(found)
    values["hidden_layer_sizes"] = tuple(values["hidden_layer_sizes"])
    shape = {item.name for item in fields(Architecture)}
    return (
        Architecture(**{name: value for name, value in values.items() if name in shape}),
        Recipe(**{name: value for name, value in values.items() if name not in shape}, seed=seed),
    )
