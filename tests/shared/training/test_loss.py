import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from competitions.lic2020_ee import model as ee
from competitions.lic2020_ee.feed import feed as ee_feed
from competitions.lic2020_mrc import model as mrc
from competitions.lic2020_re import model as re
from competitions.lic2020_re.feed import feed as re_feed
from competitions.sohu2021 import model as sohu
from shared.training.loss import Loss, total
from tests.competitions.lic2020_ee import sentences as ee_sentences
from tests.competitions.lic2020_mrc import questions
from tests.competitions.lic2020_re import sentences as re_sentences
from tests.competitions.sohu2021.test_model import settings as sohu_settings
from tests.conftest import to_numpy

WEIGHT = np.array([1, 1, 0, 1, 1, 0], np.float32)
PARTS = (slice(0, 2), slice(2, 4), slice(4, 6))
ROWS, WIDTH = len(WEIGHT), 12
WHOLE = {"transitions"}  # outputs that belong to no row
Case = tuple[Loss, dict[str, np.ndarray], dict[str, np.ndarray]]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0.0, 2.0, shape).astype(np.float32)


def sohu_case() -> Case:
    labels = np.random.default_rng(0).integers(0, 2, ROWS).astype(np.int32)
    return sohu.loss(sohu_settings(label_smoothing=0.1)), {"label": labels}, {"logits": numbers(ROWS, 2)}


def mrc_case(**train: Any) -> Case:
    start, end = np.random.default_rng(0).integers(0, WIDTH, (2, ROWS)).astype(np.int32)
    outputs = {"start_logits": numbers(ROWS, WIDTH), "end_logits": numbers(ROWS, WIDTH) + 1}
    outputs["end_logits"][:, 0] = mrc.MASKED
    chosen = questions.settings(train=questions.settings().train.model_dump() | train)
    return mrc.loss(chosen), {"start": start, "end": np.maximum(end, 1)}, outputs


def re_case(powers: tuple[int, int] = (2, 4), **train: Any) -> Case:
    usual, (subject, objects) = re_sentences.settings(), powers
    model = usual.model.model_dump() | {"subject_power": subject, "object_power": objects}
    settings = re_sentences.settings(model=model, train=usual.train.model_dump() | train)
    feed = re_feed(re_sentences.split_of(*re_sentences.EXAMPLES), settings, re_sentences.LABELS)
    _, targets = feed.batch(np.arange(ROWS) % 3, 40, np.random.default_rng(0))
    outputs = {"subject_logits": numbers(ROWS, 40, 2), "object_logits": numbers(*targets["object_labels"].shape)}
    return re.loss(settings), targets, outputs


def ee_case(scheme: str, head: str = "crf", **train: Any) -> Case:
    usual = ee_sentences.settings()
    data, model = usual.data.model_dump() | {"scheme": scheme}, usual.model.model_dump() | {"head": head}
    settings = ee_sentences.settings(data=data, model=model, train=usual.train.model_dump() | train)
    feed = ee_feed(ee_sentences.split_of(*ee_sentences.EXAMPLES), settings, ee_sentences.labels(scheme))
    _, targets = feed.batch(np.arange(ROWS) % 4, 16, np.random.default_rng(0))
    if scheme == "pointer":
        outputs = {name: numbers(ROWS, 16, 8) for name in ("start_logits", "end_logits")}
    elif scheme == "bio":
        outputs = {"logits": numbers(ROWS, 16, 17), "transitions": numbers(17, 17)}
    else:
        outputs = {"logits": numbers(ROWS, 3, 16, 7), "transitions": numbers(3, 7, 7)}
    if head == "softmax":
        outputs.pop("transitions")
    return ee.loss(settings), targets, outputs


CASES: dict[str, Callable[[], Case]] = {
    "sohu2021": sohu_case,
    "lic2020_mrc": mrc_case,
    "lic2020_mrc smoothed": lambda: mrc_case(label_smoothing=0.1),
    "lic2020_mrc focal": lambda: mrc_case(loss="focal"),
    "lic2020_re original": lambda: re_case(loss_reduction="original"),
    "lic2020_re sentence": lambda: re_case(loss_reduction="sentence"),
    "lic2020_re focal": lambda: re_case(loss="focal", loss_reduction="sentence"),
    "lic2020_re multilabel_softmax": lambda: re_case((1, 1), loss="multilabel_softmax"),
    "lic2020_ee bio": lambda: ee_case("bio"),
    "lic2020_ee bio_per_type": lambda: ee_case("bio_per_type"),
    "lic2020_ee bio_per_type softmax": lambda: ee_case("bio_per_type", "softmax"),
    "lic2020_ee bio_per_type smoothed": lambda: ee_case("bio_per_type", "softmax", label_smoothing=0.1),
    "lic2020_ee bio focal": lambda: ee_case("bio", "softmax", loss="focal"),
    "lic2020_ee pointer": lambda: ee_case("pointer"),
    "lic2020_ee pointer focal": lambda: ee_case("pointer", loss="focal"),
    "lic2020_ee pointer multilabel_softmax": lambda: ee_case("pointer", loss="multilabel_softmax"),
}


@functools.cache
def made(case: str) -> tuple[Callable[..., Any], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns a function of targets, outputs and weight that gives weights and sums, and what to call it with."""
    loss, targets, outputs = CASES[case]()

    def both(targets, outputs, weight):
        arrays = keras.tree.map_structure(ops.convert_to_tensor, (targets, outputs, weight))
        return loss.weights(arrays[0], arrays[2]), loss.sums(*arrays)

    if keras.backend.backend() == "jax":  # many small operations, each of which it would compile
        import jax

        return jax.jit(both), targets, outputs
    return both, targets, outputs


def of_rows(case: str, rows: slice, **changed: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights and sums of these rows."""
    function, targets, outputs = made(case)
    outputs = {name: array if name in WHOLE else array[rows] for name, array in (outputs | changed).items()}
    result = function({name: array[rows] for name, array in targets.items()}, outputs, WEIGHT[rows])
    return keras.tree.map_structure(to_numpy, result)


@pytest.mark.parametrize("case", CASES)
def test_the_parts_of_a_batch_add_up_to_the_whole(case):
    weights, sums = of_rows(case, slice(None))
    parts = [of_rows(case, rows) for rows in PARTS]
    want = to_numpy(total(sums, weights))
    assert want > 0.1
    assert sum(to_numpy(total(part, weights)) for _, part in parts) == pytest.approx(want, rel=1e-5)
    for name, weight in weights.items():
        assert sum(part[name] for part, _ in parts) == pytest.approx(weight, rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_weights_and_sums_are_float32_scalars_of_the_same_terms(case):
    weights, sums = of_rows(case, slice(None))
    assert set(weights) == set(sums)
    for value in (*weights.values(), *sums.values()):
        assert (value.dtype, value.shape) == (np.float32, ())


@pytest.mark.parametrize("case", CASES)
def test_what_the_network_says_of_rows_of_weight_zero_changes_nothing(case):
    outputs = made(case)[2]
    changed = {name: array.copy() for name, array in outputs.items() if name not in WHOLE}
    for array in changed.values():
        array[WEIGHT == 0] += 3 * numbers(*array.shape[1:])
    want = of_rows(case, slice(None))[1]
    for name, got in of_rows(case, slice(None), **changed)[1].items():
        assert got == pytest.approx(want[name], rel=1e-6)


@functools.cache
def divergence(case: str) -> Callable[..., Any]:
    loss = CASES[case]()[0]
    assert loss.divergence is not None

    def of(targets, outputs, other, weight):
        return loss.divergence(*keras.tree.map_structure(ops.convert_to_tensor, (targets, outputs, other, weight)))

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(of)
    return of


@pytest.mark.parametrize("case", CASES)
def test_divergences_have_the_terms_of_the_loss_add_up_and_are_zero_for_equal_outputs_only(case):
    function, (_, targets, outputs) = divergence(case), made(case)
    other = {name: array + numbers(*array.shape) * (array > -1e8) for name, array in outputs.items()}
    unseen = {name: array.copy() for name, array in other.items()}
    for name in unseen.keys() - WHOLE:
        unseen[name][WEIGHT == 0] *= 5

    def of(rows, other):
        cut = [
            {name: array if name in WHOLE else array[rows] for name, array in one.items()} for one in (outputs, other)
        ]
        return keras.tree.map_structure(
            to_numpy, function({name: array[rows] for name, array in targets.items()}, *cut, WEIGHT[rows])
        )

    whole, parts = of(slice(None), other), [of(rows, other) for rows in PARTS]
    assert set(whole) == set(of_rows(case, slice(None))[1])
    same = of(slice(None), unseen)
    for name, value in whole.items():
        assert (value.dtype, value.shape) == (np.float32, ())
        assert value > 0.1
        assert sum(part[name] for part in parts) == pytest.approx(value, rel=1e-5)
        assert same[name] == pytest.approx(value, rel=1e-6)
        assert of(slice(None), outputs)[name] == pytest.approx(0.0, abs=1e-5)


def of_terms(sums: dict[str, float], weights: dict[str, float]) -> float:
    sums, weights = ({name: ops.convert_to_tensor(np.float32(x)) for name, x in one.items()} for one in (sums, weights))
    return float(to_numpy(Loss(lambda *_: weights, lambda *_: sums)({}, {}, None)))


def test_the_loss_is_the_sum_of_the_means_of_its_terms():
    assert of_terms({"a": 6.0, "b": 5.0}, {"b": 10.0, "a": 3.0}) == pytest.approx(2.5)


def test_a_term_that_nothing_counts_for_is_zero_and_below_a_weight_of_one_is_no_mean():
    assert of_terms({"a": 0.0}, {"a": 0.0}) == 0.0
    assert of_terms({"a": 0.5}, {"a": 0.25}) == 0.5
