import itertools
import math

import keras
import numpy as np
import pytest

from competitions.lic2020_re import model as casrel
from competitions.lic2020_re.feed import feed
from competitions.lic2020_re.task import task
from shared.training.model_folder import load_model, save_model
from tests.competitions.lic2020_re.sentences import EXAMPLES, LABELS, NUMBER, settings, split_of, vocabulary
from tests.conftest import to_numpy
from tests.shared.training.steps import take_steps

VOCABULARY = vocabulary(*(example.text for example in EXAMPLES))
TOKENS = np.array([[2, 7, 8, 9, 10, 11, 3], [2, 12, 13, 14, 3, 0, 0]], "int32")
SUBJECTS = np.array([[[1, 2], [4, 4]], [[2, 3], [0, 0]]], "int32")
INPUTS = {"token_ids": TOKENS, "subjects": SUBJECTS}
COLUMNS = 2 * len(NUMBER)


def build(seed=0, **backbone):
    chosen = {"kind": "roformer", "preset": "tiny", "dropout": 0.0} | backbone
    return casrel.build(settings(model={"backbone": chosen}, train={"seed": seed}), VOCABULARY, LABELS)


def randomize(network):
    """Moves every weight off its start: the kernels of the condition are zero there."""
    rng = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign_add(rng.normal(0.0, 0.2, size=weight.shape))
    return network


@pytest.fixture(scope="module")
def network():
    """A network whose weights are no longer at their start; not to be changed."""
    return randomize(build())


def predict(network, **changes):
    return {name: np.asarray(value) for name, value in network.predict_on_batch(INPUTS | changes).items()}


def encode(network, tokens=TOKENS):
    return {
        name: np.asarray(value) for name, value in network.parts.encoder.predict_on_batch({"token_ids": tokens}).items()
    }


def test_both_heads_give_finite_float32_logits_of_the_documented_shapes():
    network = build()
    assert {name: tensor.dtype for name, tensor in network.input.items()} == dict.fromkeys(INPUTS, "int32")
    assert network.output["subject_logits"].shape == (None, None, 2)
    assert network.output["object_logits"].shape == (None, None, None, COLUMNS)
    got = predict(network)
    assert got["subject_logits"].shape == (2, 7, 2)
    assert got["object_logits"].shape == (2, 2, 7, COLUMNS)
    assert {logits.dtype for logits in got.values()} == {np.dtype("float32")}
    assert all(np.isfinite(logits).all() for logits in got.values())


def test_the_first_probability_is_low_by_the_powers_of_the_heads():
    assert all(np.abs(logits).max() < 2 for logits in predict(build()).values())  # sigmoid(0)^4 is 1/16


@pytest.mark.parametrize("kind", ["roformer", "bert"])
def test_padding_does_not_change_the_logits(kind):
    network = randomize(build(kind=kind, max_positions=64))
    want = predict(network)
    got = predict(network, token_ids=np.pad(TOKENS, ((0, 0), (0, 4))))
    real = TOKENS != 0
    np.testing.assert_allclose(got["subject_logits"][:, :7][real], want["subject_logits"][real], atol=1e-4)
    for subject in (0, 1):
        a, b = got["object_logits"][:, subject, :7][real], want["object_logits"][:, subject][real]
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)  # weights of 0.2 make logits of some 100


def test_the_subject_changes_the_object_logits_after_one_step_and_not_before():
    network, chosen = build(), settings()
    before = predict(network)["object_logits"]
    np.testing.assert_allclose(before[:, 0], before[:, 1], atol=1e-6)
    split = split_of(*EXAMPLES)
    batch = feed(split, chosen, LABELS).batch(np.arange(3), 40, np.random.default_rng(0))
    take_steps(network, casrel.loss(chosen), [batch, batch])
    after = predict(network)["object_logits"]
    assert np.abs(after[0, 0] - after[0, 1]).max() > 1e-4


def test_the_subject_head_does_not_see_the_subjects(network):
    want = predict(network)["subject_logits"]
    np.testing.assert_array_equal(predict(network, subjects=SUBJECTS[:, ::-1])["subject_logits"], want)


def test_several_subjects_give_what_each_gives_alone(network):
    together = predict(network)["object_logits"]
    for number in range(2):
        alone = predict(network, subjects=SUBJECTS[:, number : number + 1])["object_logits"]
        np.testing.assert_allclose(alone[:, 0], together[:, number], rtol=1e-4, atol=1e-3)


def test_the_object_head_worked_out_with_numpy(rng):
    head = casrel.ObjectHead(3, epsilon=1e-6)
    hidden, subjects = rng.normal(size=(2, 5, 4)).astype("float32"), SUBJECTS
    head(hidden, subjects)
    for weight in head.weights:
        weight.assign(rng.normal(size=weight.shape))
    weights = {weight.path.split("/", 1)[1]: to_numpy(weight) for weight in head.weights}
    got = to_numpy(head(hidden, subjects))
    x = hidden - hidden.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6)
    for row, number in itertools.product(range(2), range(2)):
        first, last = subjects[row, number]
        condition = np.concatenate([hidden[row, first], hidden[row, last]])
        scale = weights["norm/gamma"] + condition @ weights["norm/gamma_kernel"]
        shift = weights["norm/beta"] + condition @ weights["norm/beta_kernel"]
        want = (x[row] * scale + shift) @ weights["projection/kernel"] + weights["projection/bias"]
        np.testing.assert_allclose(got[row, number], want, rtol=1e-4, atol=1e-4)


def test_the_object_head_can_be_rebuilt_from_its_config():
    head = casrel.ObjectHead(3, epsilon=1e-5, seed=4, name="head")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    assert copy.get_config() == head.get_config()
    assert (copy.units, copy.epsilon, copy.seed) == (3, 1e-5, 4)


def test_the_parts_share_the_weights_of_the_network(network):
    want, encoded = predict(network), encode(network)
    np.testing.assert_allclose(encoded["subject_logits"], want["subject_logits"], atol=1e-4)
    rows = np.array([0, 0, 1])
    pairs = {"hidden_sum": encoded["hidden_sum"][rows], "subjects": np.array([[1, 2], [4, 4], [2, 3]], "int32")}
    logits = np.asarray(network.parts.objects.predict_on_batch(pairs)["object_logits"])
    want = np.stack([want["object_logits"][0, 0], want["object_logits"][0, 1], want["object_logits"][1, 0]])
    np.testing.assert_allclose(logits, want, rtol=1e-4, atol=1e-3)
    names = {weight.path for weight in network.weights}
    assert len(names) == len(network.weights)
    assert {weight.path for part in (network.parts.encoder, network.parts.objects) for weight in part.weights} <= names


def test_mixed_precision_is_close_to_float32_and_its_parts_agree():
    want = predict(build())
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build()
    finally:
        keras.config.set_dtype_policy(policy)
    got, encoded = predict(network), encode(network)
    for name, logits in got.items():
        assert logits.dtype == np.float32
        assert not np.array_equal(logits, want[name])
        np.testing.assert_allclose(logits, want[name], atol=0.03)  # 128 features of about 1, rounded to 8 bits
    assert encoded["hidden_sum"].dtype == "bfloat16"
    pairs = {"hidden_sum": encoded["hidden_sum"], "subjects": SUBJECTS[:, 0]}
    logits = np.asarray(network.parts.objects.predict_on_batch(pairs)["object_logits"])
    np.testing.assert_allclose(logits, got["object_logits"][:, 0], atol=1e-2)


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    first, second, third = (predict(build(seed=seed)) for seed in (1, 1, 2))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.array_equal(first[name], third[name])


def test_a_saved_model_gives_equal_logits_after_loading(network, tmp_path):
    chosen = settings()
    save_model(tmp_path / "model", network, task, chosen, VOCABULARY, LABELS, {})
    loaded = load_model(tmp_path / "model", task).network
    for name, logits in predict(network).items():
        np.testing.assert_array_equal(predict(loaded)[name], logits)
    np.testing.assert_array_equal(encode(loaded)["hidden_sum"], encode(network)["hidden_sum"])


# Two rows, two subjects, two tokens, one relation; all logits 0, so that with powers 1 and 1 each mark costs log 2.
LOG2 = math.log(2)


def loss(reduction="original", powers=(1, 1), sample_weight=(1, 1), kind="cross_entropy", **changes):
    """The loss at logits of 0 with no label set, unless changed by name."""
    model = {"subject_power": powers[0], "object_power": powers[1]}
    chosen = settings(model=model, train={"loss_reduction": reduction, "loss": kind})
    targets = {
        "token_mask": np.ones((2, 2), "uint8"),
        "subject_labels": np.zeros((2, 2, 2), "uint8"),
        "subject_mask": np.array([[1, 0], [1, 1]], "uint8"),
        "object_labels": np.zeros((2, 2, 2, 2), "uint8"),
    }
    outputs = {"subject_logits": np.zeros((2, 2, 2), "float32"), "object_logits": np.zeros((2, 2, 2, 2), "float32")}
    targets |= {name: value for name, value in changes.items() if name in targets}
    outputs |= {name: value for name, value in changes.items() if name in outputs}
    tensors = [
        {name: keras.ops.convert_to_tensor(array) for name, array in part.items()} for part in (targets, outputs)
    ]
    weight = keras.ops.convert_to_tensor(np.array(sample_weight, "float32"))
    return float(to_numpy(casrel.loss(chosen)(*tensors, weight)))


@pytest.mark.parametrize("reduction", ["original", "sentence"])
def test_the_loss_is_the_mean_of_start_and_end_for_both_heads(reduction):
    assert loss(reduction) == pytest.approx(LOG2 + LOG2, rel=1e-6)


def test_objects_are_summed_over_relations():
    three = {"object_labels": np.zeros((2, 2, 2, 6), "uint8"), "object_logits": np.zeros((2, 2, 2, 6), "float32")}
    assert loss(**three) == pytest.approx(LOG2 + 3 * LOG2, rel=1e-6)


def test_the_powers_go_to_their_heads():
    # p = 1/4 for subjects and 1/16 for objects, both absent.
    assert loss(powers=(2, 4)) == pytest.approx(math.log(4 / 3) + math.log(16 / 15), rel=1e-5)


def test_marks_are_paired_with_their_logits():
    subject_labels, logits = np.zeros((2, 2, 2), "uint8"), np.full((2, 2, 2), -20.0, "float32")
    subject_labels[0, 1, 0], logits[0, 1, 0] = 1, 20.0
    assert loss(subject_labels=subject_labels, subject_logits=logits) == pytest.approx(LOG2, rel=1e-6)
    object_labels, logits = np.zeros((2, 2, 2, 2), "uint8"), np.full((2, 2, 2, 2), -20.0, "float32")
    object_labels[1, 1, 0, 1], logits[1, 1, 0, 1] = 1, 20.0
    assert loss(object_labels=object_labels, object_logits=logits) == pytest.approx(LOG2, rel=1e-6)


SURE = np.full((2, 2, 2, 2), 30.0, "float32")  # a loss of 30 at each mark


def test_padding_and_subjects_that_do_not_count_cost_nothing():
    logits = np.zeros((2, 2, 2, 2), "float32")
    logits[0, 1] = logits[0, 0, 1] = logits[1, :, 1] = 30.0
    masks = {"token_mask": np.array([[1, 0], [1, 0]], "uint8")}
    subject_logits = np.zeros((2, 2, 2), "float32")
    subject_logits[:, 1] = 30.0
    assert loss(object_logits=logits, subject_logits=subject_logits, **masks) == pytest.approx(2 * LOG2, rel=1e-6)


@pytest.mark.parametrize("reduction", ["original", "sentence"])
def test_rows_of_weight_zero_cost_nothing(reduction):
    logits = np.zeros((2, 2, 2, 2), "float32")
    logits[1] = 30.0
    got = loss(reduction, object_logits=logits, subject_logits=logits[:, 0], sample_weight=(1, 0))
    assert got == pytest.approx(2 * LOG2, rel=1e-6)
    assert loss(reduction, sample_weight=(0, 0)) == 0.0


def test_original_weighs_tokens_and_subjects_evenly_and_sentence_sentences():
    # Row 0 has one token and one subject at a loss of log 2, row 1 two tokens and two subjects at a loss of 30.
    logits = np.zeros((2, 2, 2, 2), "float32")
    logits[1] = 30.0
    changes = {
        "object_logits": logits,
        "subject_logits": logits[:, 0],
        "token_mask": np.array([[1, 0], [1, 1]], "uint8"),
    }
    assert loss("original", **changes) == pytest.approx((LOG2 + 2 * 30) / 3 + (LOG2 + 4 * 30) / 5, rel=1e-6)
    assert loss("sentence", **changes) == pytest.approx(2 * (LOG2 + 30) / 2, rel=1e-6)


def test_a_sentence_without_a_subject_has_no_object_loss():
    masks = {"subject_mask": np.array([[0, 0], [1, 0]], "uint8")}
    logits = np.zeros((2, 2, 2, 2), "float32")
    logits[0] = 30.0
    for reduction in ("original", "sentence"):
        assert loss(reduction, object_logits=logits, **masks) == pytest.approx(2 * LOG2, rel=1e-6)
    none = {"subject_mask": np.zeros((2, 2), "uint8")}
    assert loss(object_logits=SURE, **none) == pytest.approx(LOG2, rel=1e-6)


def test_the_focal_loss_by_hand():
    # p = 1/4 for subjects and 1/16 for objects, both absent: p ** 2 times the cross-entropy.
    want = math.log(4 / 3) / 16 + math.log(16 / 15) / 256
    assert loss(powers=(2, 4), kind="focal") == pytest.approx(want, rel=1e-5)


def test_the_multilabel_softmax_loss_by_hand():
    # Two tokens of score 0 that are no mark: log(1 + 1 + 1) for each start and end; one relation.
    assert loss(kind="multilabel_softmax") == pytest.approx(2 * math.log(3), rel=1e-6)
    three = {"object_labels": np.zeros((2, 2, 2, 6), "uint8"), "object_logits": np.zeros((2, 2, 2, 6), "float32")}
    assert loss(kind="multilabel_softmax", **three) == pytest.approx(4 * math.log(3), rel=1e-6)
    labels = np.zeros((2, 2, 2), "uint8")
    labels[0, 1, 0] = 1  # a start in the first of two sentences: log 2 + log 2 in place of log 3
    want = math.log(3) + (2 * math.log(2) + 3 * math.log(3)) / 4
    assert loss(kind="multilabel_softmax", subject_labels=labels) == pytest.approx(want, rel=1e-6)


def test_padding_subjects_that_do_not_count_and_rows_of_weight_zero_cost_no_multilabel_softmax():
    logits = np.zeros((2, 2, 2, 2), "float32")
    logits[0, 1] = logits[0, 0, 1] = logits[1] = 30.0
    subject_logits = np.zeros((2, 2, 2), "float32")
    subject_logits[:, 1] = subject_logits[1] = 30.0
    changes = {"token_mask": np.array([[1, 0], [1, 1]], "uint8"), "sample_weight": (1, 0)}
    got = loss(kind="multilabel_softmax", object_logits=logits, subject_logits=subject_logits, **changes)
    assert got == pytest.approx(2 * LOG2, rel=1e-6)
