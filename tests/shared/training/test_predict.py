import threading
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from shared.arrays import Ragged, Split
from shared.training.batch import Batch
from shared.training.predict import predict_batches, predict_rows, predictor
from shared.training.weights import load_weights, save_weights
from tests.conftest import to_numpy
from tests.shared.training import toy
from tests.shared.training.steps import engine_of

LENGTH = "token_ids"


def settings(batch_size: int = 4, buckets=(8, 16)) -> SimpleNamespace:
    return SimpleNamespace(
        hardware=SimpleNamespace(predict_batch_size=batch_size), train=SimpleNamespace(bucket_lengths=buckets)
    )


def batches(split: Split) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    def inputs_of(rows, width):
        return {"token_ids": split.ragged("token_ids").padded(rows, width)}

    return list(predict_batches(toy.network(), split.ragged("token_ids").lengths, inputs_of, settings()))


def one_by_one(network: keras.Model, split: Split) -> np.ndarray:
    """Logits of each row alone, unpadded."""
    inputs = [{"token_ids": tokens[None].astype(np.int32)} for tokens in split.ragged("token_ids")]
    return np.concatenate([to_numpy(network(row)["logits"]) for row in inputs])


def test_rows_come_back_in_their_own_order():
    network, split = toy.network(), toy.split(11)
    got = predict_rows(network, split, LENGTH, settings())
    assert got["logits"].shape == (11, 2)
    np.testing.assert_allclose(got["logits"], one_by_one(network, split), atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_does_not_matter(batch_size):
    network, split = toy.network(dropout=0.5), toy.split(11)
    want = predict_rows(network, split, LENGTH, settings())["logits"]
    np.testing.assert_allclose(predict_rows(network, split, LENGTH, settings(batch_size))["logits"], want, atol=1e-5)


def test_a_loaded_network_predicts_the_same_in_other_batches(tmp_path):
    network, loaded, split = toy.network(seed=0), toy.network(seed=5), toy.split(11)
    save_weights(network, tmp_path / "weights.safetensors")
    load_weights(loaded, tmp_path / "weights.safetensors")
    want = predict_rows(network, split, LENGTH, settings(4))["logits"]
    np.testing.assert_allclose(predict_rows(loaded, split, LENGTH, settings(7, (12,)))["logits"], want, atol=1e-5)


def test_batches_rise_in_length_and_hold_each_row_once():
    split = toy.split(11)
    lengths = split.ragged("token_ids").lengths
    rows = np.concatenate([rows for rows, _ in batches(split)])
    assert sorted(rows.tolist()) == list(range(11))
    assert (np.diff(lengths[rows]) >= 0).all()


def test_outputs_of_any_fixed_size_and_type_are_kept():
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    outputs = {
        "first": token_ids[:, 0],
        "cube": keras.ops.cast(token_ids[:, :1, None], "float32") * np.ones((1, 2, 3), np.float32),
    }
    split = toy.split(5)
    got = predict_rows(keras.Model({"token_ids": token_ids}, outputs), split, LENGTH, settings(2))
    assert got["first"].dtype == np.int32
    assert got["first"].tolist() == [int(tokens[0]) for tokens in split.ragged("token_ids")]
    assert got["cube"].shape == (5, 2, 3)


def test_a_row_longer_than_every_bucket_is_predicted():
    network = toy.network()
    split = Split({"token_ids": Ragged.of([[1] * 40, [2]], np.uint16)})
    np.testing.assert_allclose(
        predict_rows(network, split, LENGTH, settings())["logits"], one_by_one(network, split), atol=1e-6
    )


def test_no_rows_give_no_batches():
    split = Split({"token_ids": Ragged.of([], np.uint16)})
    assert batches(split) == []


def test_rows_are_predicted_in_widths_chosen_for_them():
    network, split = toy.network(), toy.split(23)
    got = predict_rows(network, split, LENGTH, settings(4, "auto"))
    np.testing.assert_allclose(got["logits"], one_by_one(network, split), atol=1e-6)


@pytest.mark.parametrize("how", ["assign", "step", "load"])
def test_a_change_of_weights_is_seen_by_the_next_prediction(tmp_path, how):
    network, split = toy.network(), toy.split(8)
    before = predict_rows(network, split, LENGTH, settings())["logits"]
    if how == "assign":
        for variable in network.trainable_variables:
            variable.assign(to_numpy(variable) + 1.0)
    elif how == "step":
        inputs, targets = toy.feed(split).batch(np.arange(8), 16, np.random.default_rng(0))
        engine = engine_of(network, toy.loss, toy.train_settings(), 10)
        engine.run([Batch(inputs, targets, np.ones(8, np.float32))])
    else:
        save_weights(toy.network(seed=5), tmp_path / "weights.safetensors")
        load_weights(network, tmp_path / "weights.safetensors")
    after = predict_rows(network, split, LENGTH, settings())["logits"]
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, one_by_one(network, split), atol=1e-6)


def test_a_network_is_made_ready_for_prediction_once():
    network = toy.network()
    assert predictor(network) is predictor(network)
    assert predictor(network) is not predictor(toy.network())


@pytest.mark.parametrize(("shared", "together"), [(True, 1), (False, 2)])
def test_batches_overlap_unless_several_devices_share_each(monkeypatch, shared, together):
    machine = SimpleNamespace(distribution=SimpleNamespace(shared=shared))
    monkeypatch.setattr("shared.training.predict.configured", lambda: machine)
    at_work, most, lock = [], [], threading.Lock()

    def answer(inputs):
        with lock:
            at_work.append(1)
            most.append(len(at_work))
        time.sleep(0.05)
        with lock:
            at_work.pop()
        return {"logits": np.zeros((len(inputs["token_ids"]), 2))}

    predict_rows(
        SimpleNamespace(inputs=[SimpleNamespace(name="token_ids")], predictor=answer), toy.split(20), LENGTH, settings()
    )
    assert max(most) == together
