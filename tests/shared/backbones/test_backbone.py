import json
import math

import keras
import numpy as np
import pytest

from shared.backbones.architecture import Architecture
from shared.backbones.backbone import Backbone
from shared.backbones.settings import BackboneSettings, build_backbone
from shared.layers.conditional_layer_normalization import ConditionalLayerNormalization
from shared.layers.draws import Draws, drawing, step_key
from shared.training.weights import load_weights, save_weights
from tests.conftest import to_numpy

ROWS = 30  # of the vocabulary
KINDS = ("bert", "albert", "nezha", "roformer", "roformer_v2")
TOKENS = np.array([[2, 9, 14, 3, 24, 3], [2, 5, 3, 17, 3, 0]], "int32")
SEGMENTS = np.array([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]], "int32")
CONDITION = np.array([[1, 0, 0], [0, 1, 0]], "float32")


def backbone(kind, preset="tiny", seed=0, **settings):
    return build_backbone(BackboneSettings(kind=kind, preset=preset, **settings), ROWS, seed)


def call(layer, condition=None, tokens=TOKENS, segments=SEGMENTS, **more):
    return to_numpy(layer(tokens, segments, padding_mask=tokens != 0, condition=condition, **more))


def network(kind, seed=0):
    """Tokens, segments and condition to the vector at [CLS]."""
    tokens, segments = (keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "segment_ids"))
    condition = keras.Input((3,), name="condition")
    mask = keras.ops.not_equal(tokens, 0)
    hidden = backbone(kind, seed=seed)(tokens, segments, padding_mask=mask, condition=condition)
    inputs = {"token_ids": tokens, "segment_ids": segments, "condition": condition}
    return keras.Model(inputs, hidden[:, 0])


def train_one_step(model, rng):
    """One step; rows 0 and 1 have different conditions, so that the kernels behind them learn."""
    model.compile(keras.optimizers.Adam(0.01), loss="mse")
    inputs = {"token_ids": TOKENS, "segment_ids": SEGMENTS, "condition": CONDITION}
    loss = model.train_on_batch(inputs, rng.normal(size=(2, 128)).astype("float32"))
    assert np.isfinite(loss)


@pytest.mark.parametrize("kind", KINDS)
def test_gives_a_vector_for_each_token(kind):
    got = call(backbone(kind))
    assert got.shape == (2, 6, 128)
    assert got.dtype == "float32"
    assert np.isfinite(got).all()


@pytest.mark.parametrize("condition", [None, CONDITION])
def test_the_sum_before_the_last_normalization_gives_the_output_when_normalized(condition):
    layer = backbone("roformer")
    got, total = layer(TOKENS, SEGMENTS, padding_mask=TOKENS != 0, condition=condition, return_sum=True)
    np.testing.assert_array_equal(to_numpy(got), call(layer, condition))
    np.testing.assert_allclose(to_numpy(layer.blocks[-1].ffn_norm(total, condition)), to_numpy(got), atol=1e-6)
    assert not np.allclose(to_numpy(total), to_numpy(got))


def test_the_sum_can_be_had_in_a_network():
    tokens = keras.Input((None,), dtype="int32")
    outputs = backbone("bert")(tokens, keras.ops.zeros_like(tokens), return_sum=True)
    assert [output.shape for output in outputs] == [(None, None, 128), (None, None, 128)]
    assert [to_numpy(output).shape for output in keras.Model(tokens, outputs)(TOKENS)] == [(2, 6, 128)] * 2


@pytest.mark.parametrize("kind", ["roformer", "albert"])
@pytest.mark.parametrize("return_sum", [False, True])
def test_the_mean_of_the_last_layers_comes_out_and_the_sum_is_that_of_the_last(kind, return_sum):
    layer, mask = backbone(kind, preset="small"), TOKENS != 0
    plain = call(layer)
    x = layer.embedding(TOKENS, SEGMENTS)
    layers = [x := block(x, mask) for block in layer.block_order]
    assert len(layers) == layer.architecture.num_layers == 4
    np.testing.assert_allclose(plain, to_numpy(layers[-1]), atol=1e-6)
    usual = layer(TOKENS, SEGMENTS, padding_mask=mask, return_sum=True)[1]
    layer.last_layers = 3
    got = layer(TOKENS, SEGMENTS, padding_mask=mask, return_sum=return_sum)
    if return_sum:
        got, total = got
        np.testing.assert_array_equal(to_numpy(total), to_numpy(usual))
    np.testing.assert_allclose(to_numpy(got), np.mean([to_numpy(one) for one in layers[-3:]], axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_normalization_is_conditional(kind):
    layer = backbone(kind)
    call(layer, CONDITION)
    norms = [part for part in layer._flatten_layers() if isinstance(part, ConditionalLayerNormalization)]
    assert len(norms) == 1 + 2 * len(layer.blocks)
    assert not any(isinstance(part, keras.layers.LayerNormalization) for part in layer._flatten_layers())
    kernels = [weight.path for weight in layer.weights if weight.name in ("gamma_kernel", "beta_kernel")]
    assert len(kernels) == len(set(kernels)) == 2 * (1 + 2 * len(layer.blocks))


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_condition_there_are_no_condition_kernels(kind):
    layer = backbone(kind)
    call(layer)
    assert not [weight.path for weight in layer.weights if weight.name in ("gamma_kernel", "beta_kernel")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_condition_changes_the_output_after_one_step_and_not_before(kind, rng):
    model = network(kind)
    one = {"token_ids": TOKENS[[0, 0]], "segment_ids": SEGMENTS[[0, 0]], "condition": CONDITION}  # equal but for it
    before = model.predict_on_batch(one)
    np.testing.assert_allclose(before[0], before[1], atol=1e-5)  # rows of a batch may be summed in another order
    train_one_step(model, rng)
    after = model.predict_on_batch(one)
    assert np.abs(after[0] - after[1]).max() > 1e-3


def test_the_zero_start_equals_the_encoder_without_condition():
    np.testing.assert_allclose(call(backbone("bert"), CONDITION), call(backbone("bert")), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_does_not_change_the_vectors_of_real_tokens(kind):
    layer = backbone(kind)
    tokens, segments = (np.pad(array, ((0, 0), (0, 4))) for array in (TOKENS, SEGMENTS))
    real = TOKENS != 0
    np.testing.assert_allclose(call(layer, tokens=tokens, segments=segments)[:, :6][real], call(layer)[real], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_tokens_matters(kind):
    swapped = TOKENS[:, [0, 2, 1, 3, 4, 5]]
    layer = backbone(kind)
    assert np.abs(call(layer, tokens=swapped)[0, 0] - call(layer)[0, 0]).max() > 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_segments_matter(kind):
    layer = backbone(kind)
    assert np.abs(call(layer, segments=1 - SEGMENTS) - call(layer)).max() > 1e-3


def test_extra_vectors_are_added_to_the_embeddings(rng):
    layer = backbone("roformer")
    layer(TOKENS, SEGMENTS)
    layer.embedding.segment_table.assign(rng.normal(size=(2, 128)))
    one, other = (to_numpy(layer.embedding.segment_table)[i] for i in (0, 1))
    extra = np.tile(other - one, (2, 6, 1))  # turns segment 0 into segment 1
    got = call(layer, segments=np.zeros_like(SEGMENTS), extra=extra)
    np.testing.assert_allclose(got, call(layer, segments=np.ones_like(SEGMENTS)), atol=1e-4)


def test_roformer_takes_any_length():
    layer = backbone("roformer", max_positions=8)
    call(layer)
    tokens = np.tile(TOKENS, (1, 3))
    assert np.isfinite(call(layer, tokens=tokens, segments=tokens % 2)).all()


def test_bert_takes_its_max_positions_and_no_more():
    tokens = np.full((1, 9), 5, "int32")
    layer = backbone("bert", max_positions=8)
    assert call(layer, tokens=tokens[:, :8], segments=tokens[:, :8] * 0).shape == (1, 8, 128)
    with pytest.raises(ValueError, match="length 9 exceeds max_positions=8"):
        call(layer, tokens=tokens, segments=tokens * 0)


def parameters(layers, hidden, ffn, positions, condition):
    """Worked out from the formulas of the papers, not from the code."""
    norm = 2 * hidden + 2 * hidden * condition  # scale and shift, and their two bias-free kernels
    embedding = (ROWS + 2 + positions) * hidden + norm
    attention = 4 * (hidden * hidden + hidden)  # query, key, value, output, each with bias
    feed_forward = hidden * ffn + ffn + ffn * hidden + hidden
    return embedding + layers * (attention + norm + feed_forward + norm)


@pytest.fixture
def shapes_only():
    """Weights made in here have a shape and no values: `base` would take seconds and a third of a gigabyte."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    keras.backend.clear_session()  # else the next scope would fill them


@pytest.mark.parametrize(
    ("kind", "preset", "size"),
    [
        ("bert", "tiny", (2, 128, 512, 512, 3)),
        ("bert", "small", (4, 312, 1200, 512, 3)),
        ("roformer", "small", (4, 312, 1200, 0, 128)),
        ("bert", "base", (12, 768, 3072, 512, 0)),
        ("roformer", "base", (12, 768, 3072, 0, 128)),
    ],
)
def test_the_number_of_parameters_is_that_of_the_papers(kind, preset, size, shapes_only):
    condition = size[-1]
    layer = backbone(kind, preset)
    layer.build((None, None), (None, None), condition_shape=(None, condition) if condition else None)
    assert sum(math.prod(weight.shape) for weight in layer.trainable_weights) == parameters(*size)


def test_bert_base_without_its_pooler_has_the_published_85_million_in_its_blocks():
    assert parameters(12, 768, 3072, 512, 0) - (ROWS + 2 + 512) * 768 - 2 * 768 == 85_054_464


def test_the_heads_of_each_preset():
    assert [backbone("bert", preset).architecture.num_heads for preset in ("tiny", "small", "base")] == [2, 12, 12]


@pytest.mark.parametrize("kind", KINDS)
def test_saved_weights_give_equal_outputs_in_a_fresh_network(kind, tmp_path, rng):
    model, fresh = network(kind), network(kind, seed=9)
    for weight in model.trainable_weights:
        weight.assign_add(rng.normal(0.0, 0.2, size=weight.shape))
    inputs = {"token_ids": TOKENS, "segment_ids": SEGMENTS, "condition": CONDITION}
    want = model.predict_on_batch(inputs)
    assert not np.array_equal(fresh.predict_on_batch(inputs), want)
    save_weights(model, tmp_path / "weights.safetensors")
    load_weights(fresh, tmp_path / "weights.safetensors")
    assert fresh.predict_on_batch(inputs).tobytes() == want.tobytes()


def test_equal_seeds_give_equal_weights_and_other_seeds_others():
    first, second, third = (backbone("bert", seed=seed) for seed in (1, 1, 2))
    outputs = [call(layer) for layer in (first, second, third)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


def test_no_two_blocks_start_equal():
    layer = backbone("bert", max_positions=16)
    call(layer)
    for first, second in zip(layer.blocks[0].trainable_weights, layer.blocks[1].trainable_weights, strict=True):
        if first.name.endswith("kernel"):
            assert not np.array_equal(to_numpy(first), to_numpy(second)), first.path


def test_no_two_weight_matrices_start_with_the_same_numbers():
    layer = backbone("bert", max_positions=16)
    call(layer)
    drawn = [weight for weight in layer.trainable_weights if weight.name.endswith(("kernel", "_embedding"))]
    starts = [to_numpy(weight).ravel()[:64] for weight in drawn]
    assert len(starts) == 2 * 4 + 3
    assert len({start.tobytes() for start in starts}) == len(starts)


def test_the_config_round_trips():
    sizes = Architecture(
        kind="albert",
        num_layers=4,
        hidden_dim=8,
        num_heads=4,
        ffn_dim=12,
        embedding_dim=6,
        projection="before",
        max_positions=64,
        num_groups=2,
        activation="relu",
        segment_count=3,
        epsilon=1e-6,
        initializer_range=0.1,
    )
    layer = Backbone(sizes, 11, dropout=0.2, attention_dropout=0.3, hierarchical_alpha=0.4, seed=5)
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(document)
    assert copy.architecture == sizes
    assert copy.get_config() == layer.get_config()
    part = copy.blocks[1]
    assert (part.attention.position, part.attention.dropout, part.dropout, part.epsilon) == ("absolute", 0.3, 0.2, 1e-6)
    assert (len(copy.blocks), part.activation, copy.embedding.epsilon) == (2, "relu", 1e-6)
    assert (copy.embedding.hierarchical_alpha, copy.embedding.max_length) == (0.4, 64 * 64)


def test_mixed_precision_keeps_weights_float32_and_comes_close_to_float32():
    exact = backbone("roformer")
    layer = Backbone.from_config(exact.get_config() | {"dtype": "mixed_bfloat16"})
    tokens, segments = (keras.Input((6,), dtype="int32") for _ in range(2))
    hidden = layer(tokens, segments, padding_mask=keras.ops.not_equal(tokens, 0))
    assert hidden.dtype == "bfloat16"
    assert {str(weight.dtype) for weight in layer.trainable_weights} == {"float32"}
    got = keras.Model([tokens, segments], keras.ops.cast(hidden, "float32")).predict_on_batch([TOKENS, SEGMENTS])
    # Five normalizations in a row, each rounding vectors of about 3 to bfloat16, whose steps there are 1/64.
    np.testing.assert_allclose(got, call(exact), atol=0.15)


SMALL = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 12, "max_positions": 8, "initializer_range": 0.3}
RECOMPUTED = {"roformer": {"position": "rotary"}, "albert": {"num_groups": 1, "embedding_dim": 4}}


def small(kind, condition):
    """A small encoder with much dropout and weights that are all at work."""
    layer = Backbone(Architecture(kind=kind, **SMALL, **RECOMPUTED[kind]), ROWS, 0.3, 0.3, seed=0)
    call(layer, condition)
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign_add(rng.normal(0.0, 0.2, size=weight.shape))
    return layer


def trained(layer, recompute, condition=None):
    """Returns the output in training, and the gradients of all weights and of the condition, if there is one."""
    layer.recompute = recompute
    above = np.random.default_rng(2).normal(size=(2, 6, 8)).astype("float32")
    inputs = [condition] if condition is not None else []
    options = {"padding_mask": TOKENS != 0, "training": True}
    draws = Draws(step_key(0, 5))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        inputs = [tf.constant(array) for array in inputs]
        weights = [weight.value for weight in layer.trainable_weights]
        with drawing(draws):  # also for the gradient, which computes the blocks once more
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                output = layer(TOKENS, SEGMENTS, condition=inputs[0] if inputs else None, **options)
            gradients = tape.gradient(output, [*weights, *inputs], tf.constant(above))
    else:
        import jax

        fixed = [weight.value for weight in layer.non_trainable_variables]

        def function(weights, *inputs):
            condition = inputs[0] if inputs else None
            with drawing(draws):
                return layer.stateless_call(weights, fixed, TOKENS, SEGMENTS, condition=condition, **options)[0]

        def both(weights, *inputs):
            output, back = jax.vjp(function, weights, *inputs)
            return output, back(above)

        # Compiling takes all the time; that of dropout's generator is most of it.
        quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
        output, (gradients, *rest) = jax.jit(both, compiler_options=quick)(
            [weight.value for weight in layer.trainable_weights], *inputs
        )
        gradients = [*gradients, *rest]
    return to_numpy(output), [to_numpy(keras.ops.convert_to_tensor(gradient)) for gradient in gradients]


@pytest.mark.parametrize(
    ("kind", "condition"), [("roformer", None), ("albert", CONDITION)], ids=["plain", "shared_and_conditional"]
)
def test_recomputing_changes_neither_outputs_nor_gradients_while_dropout_is_on(kind, condition):
    layer = small(kind, condition)
    (want, wanted), (got, gradients) = (trained(layer, recompute, condition) for recompute in (False, True))
    assert len(wanted) == len(layer.trainable_weights) + (condition is not None)
    assert np.abs(want - call(layer, condition)).max() > 0.1  # dropout is on
    np.testing.assert_allclose(got, want, atol=1e-5)
    for one, other in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    if condition is not None:
        assert np.abs(gradients[-1]).min() > 1e-3


@pytest.mark.parametrize(("recompute", "training", "times"), [(True, True, 2), (True, False, 0), (False, True, 0)])
def test_each_block_is_recomputed_in_training_on_demand(monkeypatch, recompute, training, times):
    recomputed = []
    monkeypatch.setattr(keras, "remat", lambda function: recomputed.append(function) or function)
    layer = small("albert", None)  # one block, applied twice
    layer.recompute = recompute
    call(layer, training=training)
    assert len(recomputed) == times


def test_nothing_is_recomputed_unless_asked_for():
    assert backbone("bert").recompute is False


def test_shared_blocks_drop_others_each_time(monkeypatch):
    layer, seen = small("albert", None), []
    drop = layer.blocks[0].attention_drop
    plain = drop.multiplier

    def multiplier(*given):
        seen.append(plain(*given))
        return seen[-1]

    monkeypatch.setattr(drop, "multiplier", multiplier)
    with drawing(Draws(step_key(0, 5))):
        layer(TOKENS, SEGMENTS, training=True)
    assert len(seen) == 2
    assert not np.array_equal(*map(to_numpy, seen))
