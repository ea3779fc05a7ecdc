import math

import keras
import numpy as np
import pytest

from competitions.lic2020_re import model
from competitions.lic2020_re.data import official
from competitions.lic2020_re.gplinker import LINKS, MATRICES
from competitions.lic2020_re.task import task
from shared.training.batch import Batch
from shared.training.model_folder import load_model, save_model
from shared.training.settings import TrainSettings
from tests.competitions.lic2020_re.layout import SCHEMA
from tests.competitions.lic2020_re.sentences import EXAMPLES, LABELS, NUMBER, prepared, settings, split_of, vocabulary
from tests.conftest import to_numpy
from tests.shared.training.steps import engine_of, take_steps

VOCABULARY = vocabulary(*(example.text for example in EXAMPLES))
TOKENS = np.array([[2, 7, 8, 9, 10, 11, 3], [2, 12, 13, 14, 3, 0, 0]], "int32")
MODEL = {"head": "gplinker", "head_dim": 8, "backbone": {"kind": "roformer", "preset": "tiny", "dropout": 0.0}}


def chosen(**sections):
    return settings(**{"model": MODEL, **sections})


def build(seed=0):
    return task.build(chosen(train={"seed": seed}), VOCABULARY, LABELS)


@pytest.fixture(scope="module")
def network():
    """Not to be changed."""
    return build()


def predict(network, tokens=TOKENS):
    return {name: np.asarray(value) for name, value in network.predict_on_batch({"token_ids": tokens}).items()}


def batch(units=(0, 1, 2), width=40):
    return task.feed(split_of(*EXAMPLES), chosen(), LABELS).batch(np.asarray(units), width, np.random.default_rng(0))


def tensors(arrays):
    return {name: keras.ops.convert_to_tensor(array) for name, array in arrays.items()}


def test_the_matrices_have_the_documented_shapes_and_hide_padding(network):
    got = predict(network)
    assert {name: array.shape for name, array in got.items()} == {
        "entities": (2, 2, 7, 7),
        "heads": (2, len(NUMBER), 7, 7),
        "tails": (2, len(NUMBER), 7, 7),
    }
    assert {array.dtype for array in got.values()} == {np.dtype("float32")}
    for name, array in got.items():
        hidden = array == np.float32(-1e9)
        assert hidden[1, :, 5:].all()
        assert hidden[1, :, :, 5:].all()
        assert hidden[0, :, 3, 2].all() == (name == "entities")
        assert not hidden[0, :, 2, 3].any()


def test_the_factors_add_up_to_the_matrices_of_the_network(network):
    want = predict(network)
    parts = {n: np.asarray(x) for n, x in network.parts.factors.predict_on_batch({"token_ids": TOKENS}).items()}
    np.testing.assert_allclose(parts["entities"], want["entities"], rtol=1e-5, atol=1e-5)
    real = (TOKENS[:, None, :, None] != 0) & (TOKENS[:, None, None, :] != 0)
    for name in LINKS:
        products, start, end = np.split(parts[name], [7, 7 + len(NUMBER)], axis=1)
        got = products[:, None] + start[..., None] + end[:, :, None]
        np.testing.assert_allclose(np.where(real, got, -1e9), want[name], rtol=1e-4, atol=1e-4)
    assert {weight.path for weight in network.parts.factors.weights} == {weight.path for weight in network.weights}


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    first, second, third = (predict(build(seed)) for seed in (1, 1, 2))
    for name in MATRICES:
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.array_equal(first[name], third[name])


def test_pointers_stay_the_default():
    assert set(task.build(settings(), VOCABULARY, LABELS).output) == {"subject_logits", "object_logits"}


# One matrix of 2 x 2 places and two relations; all scores 0.
LOG = math.log


def targets(entities=((0,), (3,)), heads=((1,), ()), tails=((2, 3), ())):
    """Targets of one row with the given positive places of each matrix."""
    result = {}
    for name, matrices in zip(MATRICES, (entities, heads, tails), strict=True):
        result[name], result[f"{name}_mask"] = np.zeros((1, 2, 2), "int32"), np.zeros((1, 2, 2), "uint8")
        for number, places in enumerate(matrices):
            result[name][0, number, : len(places)], result[f"{name}_mask"][0, number, : len(places)] = places, 1
    return tensors(result)


def outputs(value=0.0):
    return tensors({name: np.full((1, 2, 2, 2), value, "float32") for name in MATRICES})


ONE = np.ones(1, "float32")


def test_the_loss_worked_out_by_hand():
    loss = task.loss(chosen())
    # With p of 4 places positive a matrix costs log(1 + 4 - p) + log(1 + p).
    cost = {p: LOG(5 - p) + LOG(1 + p) for p in range(3)}
    want = (2 * cost[1] + cost[1] + cost[0] + cost[2] + cost[0]) / 3
    assert float(loss(targets(), outputs(), ONE)) == pytest.approx(want, rel=1e-6)
    assert float(loss(targets(), outputs(), 0 * ONE)) == 0.0


def test_the_loss_is_the_mean_over_rows_that_count():
    loss = task.loss(chosen())
    many = {name: keras.ops.concatenate([array] * 3) for name, array in targets().items()}
    scores = {name: np.concatenate([np.asarray(array)] * 3) for name, array in outputs().items()}
    scores = {name: array * 1.0 for name, array in scores.items()}
    for array in scores.values():
        array[2] = 50.0  # of weight 0
    weight = np.array([1, 1, 0], "float32")
    got = float(loss(many, tensors(scores), weight))
    assert got == pytest.approx(float(loss(targets(), outputs(), ONE)), rel=1e-6)


def test_the_divergence_is_that_of_every_place():
    loss, sigmoid = task.loss(chosen()), lambda x: 1 / (1 + math.exp(-x))
    other = outputs() | {"heads": outputs(1.5)["heads"]}
    got = loss.divergence(targets(), outputs(), other, ONE)
    assert set(got) == set(loss.weights(targets(), ONE)) == set(loss.sums(targets(), outputs(), ONE)) == set(MATRICES)
    want = 8 * 0.5 * (sigmoid(1.5) - 0.5) * 1.5 / 3
    assert float(got["heads"]) == pytest.approx(want, rel=1e-5)
    assert float(got["entities"]) == float(got["tails"]) == 0.0


def test_two_micro_batches_are_one_and_the_state_comes_back():
    inputs, wanted = batch()
    full = Batch(inputs, wanted, np.ones(3, "float32"))
    train = TrainSettings(seed=0, epochs=1, batch_size=3, bucket_lengths=(40,), learning_rate=0.01)
    results = []
    for pieces in (1, 2):
        network = build()
        engine = engine_of(network, task.loss(chosen()), train, 100)
        engine.micro_batches = pieces
        first = float(np.asarray(engine.run([full])["loss"])[0])
        state = engine.state()
        second = float(np.asarray(engine.run([full])["loss"])[0])
        engine.restore(state)
        assert float(np.asarray(engine.run([full])["loss"])[0]) == pytest.approx(second, rel=1e-6)
        assert second < first
        results.append((first, second))
    np.testing.assert_allclose(*results, rtol=1e-5)


def gold():
    return [sorted((official(one, SCHEMA) for one in example.triples), key=str) for example in EXAMPLES]


def test_a_trained_network_finds_the_triples_it_was_shown_also_after_loading(tmp_path):
    usual, made = chosen(), prepared(EXAMPLES, model=MODEL)
    split = made.splits["train"]
    network = task.build(usual, made.vocabulary, made.labels)
    feed, rng = task.feed(split, usual, made.labels), np.random.default_rng(0)
    losses = take_steps(network, task.loss(usual), [feed.batch(np.arange(3), 40, rng)] * 60, 3e-3)
    assert losses[-1] < losses[0] / 20
    got = task.infer(network, split, usual, made.labels)
    assert [sorted(row, key=str) for row in got["triples"]] == gold()
    assert all(0.5 < sure <= 1 for row in got["confidence"] for sure in row)
    assert task.score(got, split, usual, made.labels)["f1"] == 1.0
    save_model(tmp_path / "model", network, task, usual, made.vocabulary, made.labels, {})
    loaded = load_model(tmp_path / "model", task)
    assert task.infer(loaded.network, split, loaded.settings, loaded.labels) == got
    path = task.write(tmp_path, got, split, usual, made.labels)
    assert path.exists()
    for threshold in ("span_threshold", "link_threshold"):
        none = task.infer(network, split, chosen(predict={threshold: 50.0}), made.labels)
        assert none == {"triples": [[], [], []], "confidence": [[], [], []]}


def test_an_untrained_network_is_decoded_without_a_flood(network):
    split = split_of(*EXAMPLES)
    got = task.infer(network, split, chosen(predict={"most_spans": 4}), LABELS)
    assert len(got["triples"]) == 3


def test_the_pointers_divergence_is_weighed_as_their_loss():
    usual = settings(model={"subject_power": 1, "object_power": 1})
    loss = model.loss(usual)
    wanted = tensors(
        {
            "token_mask": np.array([[1, 0]], "uint8"),
            "subject_labels": np.zeros((1, 2, 2), "uint8"),
            "subject_mask": np.array([[1, 0]], "uint8"),
            "object_labels": np.zeros((1, 2, 2, 6), "uint8"),
        }
    )
    one = tensors(
        {"subject_logits": np.zeros((1, 2, 2), "float32"), "object_logits": np.zeros((1, 2, 2, 6), "float32")}
    )
    other = {name: array + 1.0 for name, array in one.items()}
    got = {name: float(to_numpy(value)) for name, value in loss.divergence(wanted, one, other, ONE).items()}
    apart = 0.5 * (1 / (1 + math.exp(-1)) - 0.5)  # of one mark; the mean of start and end, the sum over 3 relations
    assert got == pytest.approx({"subjects": apart, "objects": 3 * apart}, rel=1e-5)
    same = loss.divergence(wanted, one, one, ONE)
    assert {float(to_numpy(value)) for value in same.values()} == {0.0}
    assert float(to_numpy(loss.divergence(wanted, one, other, 0 * ONE)["objects"])) == 0.0
