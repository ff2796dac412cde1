"""The ready-made branches that ship, and the hints that name them."""

import random

import pytest

from automl.constraints import OneOf, Section, Union, Variants
from automl.errors import SpaceError, nearest
from automl.families import load_space, vocabulary
from automl.space import shipped_folder
from automl.space.files import ReadyMade

PARTS = sorted(ReadyMade().parts)
REGRESSION = {"svr", "knn_regressor", "ridge", "lasso", "elastic_net", "gradient_boosting_regressor"}


@pytest.mark.parametrize("part", PARTS)
def test_ready_made_branch_trains_for_its_task(part):
    task = "regression" if part.partition(".")[2] in REGRESSION else "[binary, multiclass]"
    space = load_space(f"task: {task}\nspace:\n  model: {{choice: {{mine: {{use: {part}}}}}}}\n")
    assert space.to_dict()["space"]["model"]["choice"]["mine"]["estimator"].startswith("sklearn.")


def test_ready_made_branch_can_be_changed():
    space = load_space("space:\n  model: {choice: {knn: {use: sklearn.knn, n_neighbors: 5}}}\n")
    assert space.to_dict()["space"]["model"]["choice"]["knn"]["n_neighbors"] == 5


@pytest.mark.parametrize("name", ["ridge", "lassso", "svc"])
def test_unknown_family_with_a_ready_made_branch(name):
    with pytest.raises(SpaceError, match=r'Write "\w+: \{use: sklearn\.\w+\}"'):
        load_space(f"space:\n  model: {{choice: {{{name}: {{}}}}}}\n")


def test_unknown_ready_made_part():
    with pytest.raises(SpaceError, match='Did you mean "sklearn.knn"'):
        load_space("space:\n  model: {choice: {mine: {use: sklearn.kn}}}\n")


def test_ready_made_files_are_in_the_shipped_folder():
    assert (shipped_folder() / "parts" / "sklearn.yaml").is_file()


def words(rule):
    """Yield the words that may stand at each place of the vocabulary."""
    if isinstance(rule, Section):
        yield tuple(rule.parameters)
        for parameter in rule.parameters.values():
            yield from words(parameter.constraint)
    elif isinstance(rule, Variants):
        yield tuple(rule.options)
        for section in rule.options.values():
            yield from words(section)
    elif isinstance(rule, Union):
        for option in rule.options:
            yield from words(option)
    elif isinstance(rule, OneOf):
        yield tuple(value for value in rule.values if isinstance(value, str))


def misspelt(word, rng):
    """Return the word with one letter missing, doubled, wrong, or two exchanged."""
    i = rng.randrange(len(word) - 1)
    return rng.choice(
        (
            word[:i] + word[i + 1 :],
            word[:i] + word[i] + word[i:],
            word[:i] + rng.choice("aeioxyz_") + word[i + 1 :],
            word[:i] + word[i + 1] + word[i] + word[i + 2 :],
        )
    )


def one_letter_apart(a, b):
    """Return whether one letter is wrong, missing or doubled, or two neighbours are exchanged."""
    if len(a) < len(b):
        a, b = b, a
    if len(a) > len(b):
        return any(a[:i] + a[i + 1 :] == b for i in range(len(a)))
    different = [i for i in range(len(a)) if a[i] != b[i]]
    return len(different) == 1 or (
        len(different) == 2 and [a[i] for i in different] == [b[i] for i in reversed(different)]
    )


def test_hints_name_the_word_of_one_wrong_letter():
    rng, missed, tried = random.Random(0), [], 0
    for known in sorted(set(filter(None, words(vocabulary())))):
        for word in known:
            wrong = misspelt(word, rng)
            if len(word) < 3 or wrong in known:
                continue
            tried += 1
            hint = nearest(wrong, known)
            if not any(f'"{near}"' in hint for near in known if one_letter_apart(near, wrong)):
                missed.append((word, wrong, hint))
    assert tried > 200
    assert not missed


def test_hints_name_the_word_of_two_wrong_letters():
    rng, missed, tried = random.Random(0), [], 0
    for known in sorted(set(filter(None, words(vocabulary())))):
        for word in known:
            wrong = misspelt(misspelt(word, rng), rng)
            if len(word) < 5 or wrong in known:
                continue
            tried += 1
            if nearest(wrong, known) != f'Did you mean "{word}"?':
                missed.append((word, wrong))
    assert tried > 200
    assert len(missed) < 0.03 * tried, missed
