import math
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from competitions.lic2020_mrc import model
from competitions.lic2020_mrc.feed import feed
from competitions.lic2020_mrc.settings import Settings
from competitions.lic2020_mrc.task import task
from shared.training.model_folder import load_model, save_model
from tests.competitions.lic2020_mrc.questions import EXAMPLES, LABELS, WINDOW, settings, split_of, vocabulary, windowed
from tests.conftest import to_numpy
from tests.shared.training.steps import take_steps

VOCABULARY = vocabulary(*EXAMPLES)
INPUTS = windowed(*EXAMPLES).inputs(np.arange(3), WINDOW)  # the first one has three tokens of padding


def chosen(no_answer: bool = False, seed: int = 0, **options: Any) -> Settings:
    usual = settings()
    return settings(
        train=usual.train.model_dump() | {"no_answer": no_answer, "seed": seed},
        model=usual.model.model_dump() | options,
    )


def build(**options: Any) -> keras.Model:
    return model.build(chosen(**options), VOCABULARY, LABELS)


@cache
def built(**options: Any) -> keras.Model:
    """A network with weights off their start, for tests that leave it as it is."""
    network = build(**options)
    rng = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign_add(rng.normal(0.0, 0.1, size=weight.shape))
    return network


def logits(network: keras.Model, inputs: dict[str, np.ndarray] = INPUTS) -> np.ndarray:
    """Start and end logits, (2, batch, length)."""
    outputs = network.predict_on_batch(inputs)
    return np.stack([to_numpy(outputs["start_logits"]), to_numpy(outputs["end_logits"])])


@pytest.mark.parametrize("exact_match", [True, False])
def test_the_network_declares_its_inputs_and_outputs(exact_match):
    network = build(exact_match=exact_match)
    assert {name: tensor.dtype for name, tensor in network.input.items()} == dict.fromkeys(INPUTS, "int32")
    assert list(network.output) == ["start_logits", "end_logits"]
    assert all((tensor.shape, tensor.dtype) == ((None, None), "float32") for tensor in network.output.values())
    assert any("exact_match" in weight.path for weight in network.trainable_weights) == exact_match


@pytest.mark.parametrize("no_answer", [True, False])
def test_only_tokens_of_the_passage_and_with_no_answer_cls_can_be_chosen(no_answer):
    allowed = windowed(*EXAMPLES).inside(np.arange(3), WINDOW)
    allowed[:, 0] = no_answer
    for got in logits(built(no_answer=no_answer)):
        assert got.dtype == np.float32
        assert (got[~allowed] == np.float32(-1e9)).all()
        assert (np.abs(got[allowed]) < 100).all()


@pytest.mark.parametrize("kind", ["roformer", "bert"])
def test_padding_changes_nothing(kind):
    network = build(backbone={"kind": kind, "preset": "tiny", "max_positions": 32})
    wider = {name: np.pad(array, ((0, 0), (0, 4))) for name, array in INPUTS.items()}
    np.testing.assert_allclose(logits(network, wider)[..., :WINDOW], logits(network), atol=1e-4)


def test_start_and_end_have_heads_of_their_own():
    start, end = logits(built())
    assert np.abs(start - end)[start > -1].max() > 1e-3


def test_exact_match_tells_what_the_question_has_too():
    """With one vector for all tokens, only the feature can see that question and passage share a token."""
    inputs = {"token_ids": np.array([[2, 5, 3, 5, 6, 3], [2, 7, 3, 5, 6, 3]], "int32")}
    inputs["segment_ids"] = np.array([[0, 0, 0, 1, 1, 1]] * 2, "int32")
    for exact_match in (True, False):
        network = built(exact_match=exact_match)
        table = network.get_layer("backbone").embedding.token_table
        before = to_numpy(table)
        table.assign(np.tile(before[:1], (table.shape[0], 1)))
        got = logits(network, inputs)
        table.assign(before)
        assert (np.abs(got[:, 0] - got[:, 1]).max() > 1e-3) == exact_match


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    first, second, third = (logits(build(seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_the_logits_are_float32_under_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        got = logits(build())
    finally:
        keras.config.set_dtype_policy(policy)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, logits(build()), atol=0.05)


def loss(targets: dict[str, Any], outputs: dict[str, Any], weights: list[float]) -> float:
    def tensors(values: dict[str, Any], dtype: str) -> dict[str, Any]:
        return {name: keras.ops.convert_to_tensor(np.array(value, dtype)) for name, value in values.items()}

    function = model.loss(settings())
    weight = keras.ops.convert_to_tensor(np.array(weights, "float32"))
    return float(to_numpy(function(tensors(targets, "int32"), tensors(outputs, "float32"), weight)))


def test_the_loss_worked_out_by_hand():
    # p(start) = 3/4 of (1/4, 3/4); p(end) = 1/2 of two.
    outputs = {"start_logits": [[-1e9, 0, math.log(3)]], "end_logits": [[-1e9, 5, 5]]}
    got = loss({"start": [2], "end": [1]}, outputs, [1])
    assert got == pytest.approx((math.log(4 / 3) + math.log(2)) / 2, rel=1e-6)


def test_the_smoothed_loss_spreads_over_the_tokens_that_may_be_chosen():
    logits = np.array([[model.MASKED, 2.0, 1.0]], "float32")
    outputs = {name: keras.ops.convert_to_tensor(logits) for name in ("start_logits", "end_logits")}
    targets = {name: keras.ops.convert_to_tensor(np.array([1], "int32")) for name in ("start", "end")}
    train = settings().train.model_dump()
    p = 1 / (1 + math.exp(-1.0))
    for changes, want in (
        ({"label_smoothing": 0.2}, -(0.9 * math.log(p) + 0.1 * math.log(1 - p))),
        ({"loss": "focal", "focal_gamma": 1.0}, -(1 - p) * math.log(p)),
    ):
        function = model.loss(settings(train=train | changes))
        assert float(to_numpy(function(targets, outputs, keras.ops.ones(1)))) == pytest.approx(want, rel=1e-5)


def test_the_divergence_worked_out_by_hand():
    # Starts: (1/4, 3/4) and (1/2, 1/2); ends are alike.
    quarter, half = [[-1e9, 0.0, math.log(3)]], [[-1e9, 1.0, 1.0]]
    outputs, other = ({"start_logits": start, "end_logits": half} for start in (quarter, half))
    one, two = (
        {name: keras.ops.convert_to_tensor(np.float32(rows)) for name, rows in given.items()}
        for given in (outputs, other)
    )
    got = model.loss(settings()).divergence({}, one, two, keras.ops.convert_to_tensor(np.float32([2.0])))
    # (p - q) (log p - log q) / 2 over both tokens; half of that, as the ends are the other half; weight 2
    want = (0.25 * (math.log(2) - math.log(4 / 3) + math.log(4) - math.log(2)) / 2) / 2 * 2
    assert float(to_numpy(got["windows"])) == pytest.approx(want, rel=1e-5)


def test_rows_of_weight_zero_do_not_count():
    outputs = {"start_logits": [[0, 1], [9, -9]], "end_logits": [[0, 1], [9, -9]]}
    alone = loss({"start": [1, 1], "end": [0, 1]}, outputs, [1, 0])
    cut = {name: rows[:1] for name, rows in outputs.items()}
    assert alone == pytest.approx(loss({"start": [1], "end": [0]}, cut, [1]), rel=1e-6)
    assert loss({"start": [1, 1], "end": [0, 1]}, outputs, [0, 0]) == 0.0


def test_the_loss_of_a_sure_mistake_is_finite():
    outputs = {"start_logits": [[-1e9, 0.0]], "end_logits": [[-1e9, 0.0]]}
    assert math.isfinite(loss({"start": [0], "end": [0]}, outputs, [1]))


def test_training_on_a_batch_lowers_its_loss():
    options = chosen(no_answer=True)
    network = model.build(options, VOCABULARY, LABELS)
    made = feed(split_of(*EXAMPLES), options, LABELS)
    inputs, targets = made.batch(np.arange(len(made.lengths)), WINDOW, np.random.default_rng(0))
    losses = take_steps(network, model.loss(options), [(inputs, targets)] * 8, 0.001)
    assert losses[-1] < 0.7 * losses[0]


def test_a_loaded_model_gives_equal_logits_byte_for_byte(tmp_path):
    network = built()
    save_model(tmp_path / "model", network, task, chosen(), VOCABULARY, LABELS, {})
    loaded = load_model(tmp_path / "model", task)
    assert logits(loaded.network).tobytes() == logits(network).tobytes()
    assert loaded.labels == LABELS
