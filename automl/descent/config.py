"""Settings of a trial: the architecture that its cohort shares, its own config, and the rules of both as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from automl.constraints import Constraint, ListOf, Number, OneOf, Parameter, Section, Union, Variants, named
from automl.descent.kernels import Ops
from automl.descent.kernels import numpy as numpy_ops
from automl.descent.layers import ACTIVATIONS, INPUT_LAYERS, NORMALIZATIONS, build_layers
from automl.descent.losses import DEFAULT_LOSSES, LOSSES, Loss
from automl.descent.model import Model
from automl.descent.optimizers import OPTIMIZERS
from automl.descent.schedules import SCHEDULES
from automl.errors import Fault, InputError, nearest

__all__ = [
    "PARAMETERS",
    "RULES",
    "Architecture",
    "TrainConfig",
    "build",
    "check",
    "from_configuration",
    "parameters",
]

_COUNT = Number(1, integer=True)
_STRENGTH = Number(0)
_POSITIVE = Number(0, open_low=True)
_SHARE = Number(0, 1, open_high=True)


def _ruled(constraint: Constraint, default: Any, about: str) -> Any:
    """Return a field of a record with its default and, beside it, its rule."""
    return field(default=default, metadata={"rule": Parameter(constraint, default, about)})


class _Sections(Mapping[str, Section]):
    """The rows of a table as sections; a row added later is there at once."""

    def __init__(self, table: Mapping[str, Any], fits: Callable[[Any], bool]) -> None:
        self._table, self._fits = table, fits

    def __getitem__(self, name: str) -> Section:
        if name not in self._table or not self._fits(self._table[name]):
            raise KeyError(name)
        return Section(self._table[name].parameters)

    def __iter__(self) -> Iterator[str]:
        return (name for name, row in self._table.items() if self._fits(row))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _rows(table: Mapping[str, Any], fits: Callable[[Any], bool] = lambda row: True) -> Variants:
    """Return the choice of a row of a table, each with parameters of its own."""
    return Variants(_Sections(table, fits))


@dataclass(frozen=True)
class Architecture:
    """Settings that must be equal within a cohort; `RULES` has the meaning and the range of each field."""

    loss: str
    hidden_layer_sizes: tuple[int, ...] = _ruled(
        ListOf(_COUNT), (), "units of each hidden layer; empty for a linear model"
    )
    normalization: str | None = _ruled(
        OneOf((None, *NORMALIZATIONS)), None, "of hidden units: each row over its units, or by batch"
    )
    loss_params: Mapping[str, Any] = field(default_factory=dict)
    input_layer: str = _ruled(
        _rows(INPUT_LAYERS), "none", "layer before the first dense one; embedding if categories are embedded"
    )
    input_layer_params: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[int, ...] = _ruled(
        ListOf(_COUNT), (), "number of codes of each of the last columns, for an embedding"
    )

    def make_loss(self, ops: Ops = numpy_ops) -> Loss:
        """Return the loss."""
        return LOSSES[self.loss](ops, **self.loss_params)

    def make_model(self, d: int, c: int) -> Model:
        """Return the model for ``d`` columns and ``c`` outputs."""
        layers = build_layers(
            d,
            c,
            hidden_layer_sizes=self.hidden_layer_sizes,
            normalization=self.normalization,
            input_layer=self.input_layer,
            input_layer_params=self.input_layer_params,
            categories=self.categories,
        )
        return Model(layers, d, c)


@dataclass(frozen=True)
class TrainConfig:
    """Settings that vary freely within a cohort; `RULES` has the meaning and the range of each field."""

    optimizer: str = _ruled(_rows(OPTIMIZERS), "adam", "rule that turns a gradient into a step")
    optimizer_params: Mapping[str, Any] = field(default_factory=dict)
    learning_rate: float = _ruled(_POSITIVE, 1e-3, "size of a step")
    schedule: str = _ruled(_rows(SCHEDULES), "constant", "how the learning rate changes by epoch")
    schedule_params: Mapping[str, Any] = field(default_factory=dict)
    warmup: float = _ruled(_STRENGTH, 0.0, "epochs over which the learning rate rises from zero")
    batch_size: int | str = _ruled(
        Union((_COUNT, OneOf(("full",)))), 32, "rows a step: 1 is stochastic, full is plain gradient descent"
    )
    max_epochs: int = _ruled(_COUNT, 100, "passes over the rows")
    l1: float = _ruled(_STRENGTH, 0.0, "lasso penalty on weights, by proximal steps: exact zeros")
    l2: float = _ruled(_STRENGTH, 1e-4, "ridge penalty on weights, l2 / 2 times their squares")
    weight_decay: float = _ruled(_STRENGTH, 0.0, "decoupled decay of weights, times the learning rate a step")
    activation: str = _ruled(OneOf(tuple(ACTIVATIONS)), "relu", "function after each hidden layer")
    dropout: float = _ruled(_SHARE, 0.0, "share of hidden units silenced at random in training")
    clip_norm: float | None = _ruled(
        Union((_POSITIVE, OneOf((None,)))), None, "longest gradient; null: gradients are not clipped"
    )
    label_smoothing: float = _ruled(
        _SHARE, 0.0, "share of each label spread over all classes; for logistic and softmax"
    )
    average: float = _ruled(
        _SHARE, 0.0, "share of the epochs, the last ones, over which weights are averaged"
    )
    seed: int = _ruled(
        Number(0, integer=True),
        0,
        "seed of initial weights and, with the order of rows, of dropout",
    )


def _rules(task: str | None = None) -> dict[str, Parameter]:
    losses = _rows(LOSSES, lambda loss: task is None or task in loss.tasks)
    rules = {"loss": Parameter(losses, DEFAULT_LOSSES[task or "binary"], "function to minimise")}
    known = (item for kind in (Architecture, TrainConfig) for item in fields(kind))
    return rules | {item.name: item.metadata["rule"] for item in known if "rule" in item.metadata}


RULES: dict[str, Parameter] = _rules()
"""Every field of an architecture and a config: its rule, its default and a line about it."""


def parameters(task: str | None = None) -> dict[str, Parameter]:
    """Return the parameters of a model that a search may vary: rule, default and a line about each.

    The seed comes from the search and the categories from the table.

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
    return {name: rule for name, rule in _rules(task).items() if name not in ("categories", "seed")}


PARAMETERS: dict[str, Parameter] = parameters()


def _faults(values: Mapping[str, Any], rules: Mapping[str, Parameter], where: str = "") -> list[Fault]:
    """Return a fault for every rule that values break; values without a rule pass."""
    found: list[Fault] = []
    for name, rule in rules.items():
        if name not in values:
            continue
        value, constraint = values[name], rule.constraint
        if not isinstance(constraint, Variants):
            if not constraint.accepts(value):
                found.append(Fault(where + name, f"must be {constraint.describe()}", repr(value)))
        elif not isinstance(value, str) or value not in constraint.options:
            remedy = nearest(str(value), list(constraint.options))
            found.append(Fault(where + name, f"must be {constraint.describe()}", repr(value), remedy))
        else:
            params, place = values.get(f"{name}_params", {}), f"{where}{name}_params"
            if not isinstance(params, Mapping):
                found.append(Fault(place, "must be a mapping", repr(params)))
                continue
            own = constraint.options[value].parameters
            found += _unknown(params, own, f"{place}.", value) + _faults(params, own, f"{place}.")
    return found


def _unknown(given: Iterable[str], rules: Mapping[str, Parameter], where: str, owner: str) -> list[Fault]:
    """Return a fault for each name that is none of the owner's."""
    rule = f"must be a parameter of {owner}"
    return [
        Fault(where + name, rule, repr(name), nearest(name, list(rules)) if rules else "It has none.")
        for name in given
        if name not in rules
    ]


def check(architecture: Architecture, configs: Iterable[TrainConfig]) -> None:
    """Raise one `InputError` with every rule that an architecture and its configs break."""
    found = _faults(vars(architecture), RULES)
    if not found and architecture.categories and not INPUT_LAYERS[architecture.input_layer].reads_codes:
        known = ", ".join(name for name, row in INPUT_LAYERS.items() if row.reads_codes)
        rule = "must read the codes of categories"
        found = [Fault("input_layer", rule, repr(architecture.input_layer), f"Choose one of {known}.")]
    for i, config in enumerate(configs):
        found += _faults(vars(config), RULES, f"configs[{i}].")
    if found:
        raise InputError(found)


def build(
    values: Mapping[str, Any], rules: Mapping[str, Parameter], seed: int, known: Iterable[Fault] = ()
) -> tuple[Architecture, TrainConfig]:
    """Return the records that hold values by name, or raise one `InputError` with all their faults.

    Parameters
    ----------
    values : mapping
        Fields of both records and possibly others; a variant takes two, such as ``optimizer`` and
        ``optimizer_params``. Missing ones take their defaults.
    rules : mapping of str to Parameter
        Rules of the values.
    seed : int
        Seed of the config.
    known : iterable of Fault
        Faults found before.
    """
    found = [*known, *_faults(values, rules)]
    if found:
        raise InputError(found)
    shape, own = (
        {item.name for item in fields(kind)} & values.keys() for kind in (Architecture, TrainConfig)
    )
    plain: dict[str, Any] = {key: tuple(x) if isinstance(x, list) else x for key, x in values.items()}
    architecture = Architecture(**{name: plain[name] for name in shape})
    return architecture, TrainConfig(**{name: plain[name] for name in own}, seed=seed)


def from_configuration(
    configuration: Mapping[str, Any], task: str, seed: int = 0, categories: Sequence[int] = ()
) -> tuple[Architecture, TrainConfig]:
    """Return the architecture and the config of a configuration with the keys of `parameters`.

    Parameters
    ----------
    configuration : mapping
        Plain values; variants as a name or ``{name: {parameter: value}}``. Missing ones take their defaults.
    task : {"binary", "multiclass", "regression"}
        Decides the default loss.
    seed : int
        Seed of the config.
    categories : sequence of int
        Number of codes of each of the last columns. Their default layer is the embedding.

    Raises
    ------
    InputError
        With every rule the configuration breaks.

    Examples
    --------
    >>> architecture, config = from_configuration({"optimizer": {"momentum": {"momentum": 0.5}}}, "binary")
    >>> architecture.loss, config.optimizer, config.optimizer_params
    ('logistic', 'momentum', {'momentum': 0.5})
    """
    rules = parameters(task)
    values: dict[str, Any] = {"loss": DEFAULT_LOSSES[task], **configuration, "categories": tuple(categories)}
    if categories:
        values.setdefault("input_layer", next(name for name, row in INPUT_LAYERS.items() if row.reads_codes))
    for name, rule in rules.items():
        is_variant = isinstance(rule.constraint, Variants) and isinstance(values.get(name), Mapping)
        if is_variant and len(values[name]) == 1:
            values[name], values[f"{name}_params"] = named(values[name])
    return build(values, rules, seed, _unknown(configuration, rules, "", "the model"))
