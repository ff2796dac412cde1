"""A small vocabulary with one constraint of each kind."""

import pytest

from automl.constraints import (
    Anything,
    Boolean,
    Constraint,
    ListOf,
    Number,
    OneOf,
    Parameter,
    Section,
    Union,
    Variants,
)
from automl.space import load_space


def section(**rules: Constraint) -> Section:
    return Section({key: Parameter(rule) for key, rule in rules.items()})


SHARE = Number(0, 1, open_high=True)
WHOLE = Number(1, integer=True)

PREPROCESS = section(
    numeric=section(
        impute=OneOf(("median", "mean", "most_frequent")),
        scale=OneOf(("standard", "robust", "minmax", "quantile", "none")),
    ),
    categorical=section(encode=OneOf(("onehot", "ordinal", "target"))),
)
DESCENT = section(
    loss=Variants(
        {
            "logistic": Section(),
            "softmax": Section(),
            "hinge": Section(),
            "squared": Section(),
            "huber": section(delta=Number(0, open_low=True)),
        }
    ),
    optimizer=Variants(
        {
            "sgd": Section(),
            "momentum": section(momentum=SHARE, nesterov=Boolean()),
            "adam": section(beta1=SHARE, beta2=SHARE),
        }
    ),
    schedule=Variants(
        {
            "constant": Section(),
            "exponential": section(rate=Number(0, 1, open_low=True)),
            "step": section(factor=SHARE, every=WHOLE),
            "cosine": Section(),
        }
    ),
    learning_rate=Number(0, open_low=True),
    batch_size=Union((WHOLE, OneOf(("full",)))),
    max_epochs=WHOLE,
    l1=Number(0),
    l2=Number(0),
    dropout=SHARE,
    preprocess=PREPROCESS,
)
VOCABULARY = Section(
    {
        "preprocess": Parameter(PREPROCESS),
        "model": Parameter(
            Variants(
                {
                    "linear": DESCENT,
                    "mlp": Section(
                        {
                            **DESCENT.parameters,
                            "hidden_layer_sizes": Parameter(ListOf(WHOLE)),
                            "activation": Parameter(OneOf(("relu", "tanh"))),
                        }
                    ),
                    "decision_tree": section(
                        max_depth=Union((WHOLE, OneOf((None,)))),
                        min_samples_leaf=Union((WHOLE, Number(0, 1, open_low=True, open_high=True))),
                        ccp_alpha=Number(0),
                        preprocess=PREPROCESS,
                    ),
                    "hist_gradient_boosting": section(
                        learning_rate=Number(0, open_low=True),
                        max_iter=WHOLE,
                        max_leaf_nodes=Number(2, integer=True),
                        min_samples_leaf=WHOLE,
                        l2_regularization=Number(0),
                        extra=Anything(),
                        preprocess=PREPROCESS,
                    ),
                }
            )
        ),
    }
)

LIMITS = section(
    predict_seconds=Number(0, open_low=True),
    model_bytes=Number(0, open_low=True),
    fit_seconds=Number(0, open_low=True),
)


@pytest.fixture(scope="session")
def vocabulary():
    return VOCABULARY


@pytest.fixture(scope="session")
def limits():
    return LIMITS


class Loader:
    """`load_space` with the vocabulary; short where a failing test prints it."""

    def __call__(self, source, **options):
        return load_space(source, vocabulary=VOCABULARY, limits=LIMITS, **options)

    def __repr__(self):
        return "load"


@pytest.fixture(scope="session")
def load():
    return Loader()
