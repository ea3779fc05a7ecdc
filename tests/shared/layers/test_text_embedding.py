import numpy as np
import pytest
from keras import ops

from shared.layers.offsets import shifting
from shared.layers.text_embedding import TextEmbedding
from tests.conftest import to_numpy
from tests.shared.layers.differentiate import differentiate, rounded
from tests.shared.layers.layer_check import check_layer, randomize
from tests.shared.layers.reference import conditional_layer_norm, layer_norm

TOKENS = np.array([[2, 9, 4, 3, 4], [2, 5, 3, 7, 3]], "int32")
SEGMENTS = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]], "int32")
SIZE = {"vocabulary_size": 10, "hidden_dim": 8}


@pytest.fixture
def extra(rng):
    return rng.normal(size=(2, 5, 8)).astype("float32")


@pytest.fixture
def condition(rng):
    return rng.normal(size=(2, 3)).astype("float32")


# Vectors reach about 5, where bfloat16 has steps of 1/32.
def test_passes_the_check_of_every_layer_with_all_inputs(extra, condition):
    arguments = SIZE | {
        "segment_count": 3,
        "max_positions": 16,
        "dropout": 0.2,
        "epsilon": 1e-6,
        "initializer_range": 0.1,
        "seed": 4,
    }
    inputs = {"token_ids": TOKENS, "segment_ids": SEGMENTS, "extra": extra, "condition": condition}
    check_layer(TextEmbedding, arguments, inputs, padded=("token_ids", "segment_ids", "extra"), bfloat16_error=0.1)


def test_passes_the_check_of_every_layer_with_tokens_and_segments_alone():
    inputs = {"token_ids": TOKENS, "segment_ids": SEGMENTS}
    check_layer(TextEmbedding, SIZE, inputs, padded=("token_ids", "segment_ids"), bfloat16_error=0.1)


def test_equals_the_sum_of_table_rows_normalized_in_float64(extra, condition):
    layer = TextEmbedding(**SIZE, max_positions=6, epsilon=0.1)
    layer(TOKENS, SEGMENTS, extra, condition)
    randomize(layer)
    tokens, segments, positions = (
        np.float64(to_numpy(table)) for table in (layer.token_table, layer.segment_table, layer.position_table)
    )
    norm = [np.float64(to_numpy(weight)) for weight in layer.norm.weights]
    total = np.float64(extra)
    for row, place in np.ndindex(TOKENS.shape):
        total[row, place] += tokens[TOKENS[row, place]] + segments[SEGMENTS[row, place]] + positions[place]
    want = conditional_layer_norm(total, norm, np.float64(condition), 0.1)
    np.testing.assert_allclose(to_numpy(layer(TOKENS, SEGMENTS, extra, condition)), want, atol=1e-5)


def test_without_positions_the_place_of_a_token_does_not_matter():
    layer = TextEmbedding(**SIZE)
    got = to_numpy(layer(np.array([[4, 5, 4]], "int32"), np.zeros((1, 3), "int32")))
    np.testing.assert_array_equal(got[0, 0], got[0, 2])
    assert not any("position" in weight.path for weight in layer.weights)


def test_a_length_of_max_positions_is_allowed():
    layer = TextEmbedding(**SIZE, max_positions=5)
    assert layer(TOKENS, SEGMENTS).shape == (2, 5, 8)


def test_a_longer_text_than_max_positions_is_an_error():
    with pytest.raises(ValueError, match="length 5 exceeds max_positions=4"):
        TextEmbedding(**SIZE, max_positions=4)(TOKENS, SEGMENTS)


def test_tables_start_with_different_numbers_and_the_given_spread():
    layer = TextEmbedding(500, 8, segment_count=500, max_positions=500, initializer_range=0.5, seed=0)
    layer.build((None, None), (None, None))
    tables = [to_numpy(table) for table in (layer.token_table, layer.segment_table, layer.position_table)]
    for table in tables:
        assert 0.4 < table.std() < 0.5  # cut at two standard deviations: 0.88 of 0.5
    assert not np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[1], tables[2])


def test_dropout_acts_in_training_only():
    layer = TextEmbedding(**SIZE, dropout=0.5, seed=1)
    still = to_numpy(layer(TOKENS, SEGMENTS))
    np.testing.assert_array_equal(to_numpy(layer(TOKENS, SEGMENTS, training=False)), still)
    dropped = to_numpy(layer(TOKENS, SEGMENTS, training=True)) == 0
    assert 0.2 < dropped.mean() < 0.8


@pytest.mark.parametrize(("projection", "width"), [("after", 4), ("before", 8)])
def test_factorised_embeddings_pass_the_check_of_every_layer(rng, condition, projection, width):
    arguments = SIZE | {"embedding_dim": 4, "projection": projection, "max_positions": 16}
    extra = rng.normal(size=(2, 5, width)).astype("float32")
    inputs = {"token_ids": TOKENS, "segment_ids": SEGMENTS, "extra": extra, "condition": condition}
    check_layer(TextEmbedding, arguments, inputs, padded=("token_ids", "segment_ids", "extra"), bfloat16_error=0.2)


@pytest.mark.parametrize("projection", ["after", "before"])
def test_factorised_embeddings_equal_the_formula_in_float64(projection):
    layer = TextEmbedding(**SIZE, embedding_dim=4, projection=projection, max_positions=5, epsilon=0.1)
    layer(TOKENS, SEGMENTS)
    randomize(layer)
    weights = (layer.token_table, layer.segment_table, layer.position_table, layer.widen.kernel)
    tokens, segments, positions, kernel = (np.float64(to_numpy(weight)) for weight in weights)
    norm = [np.float64(to_numpy(weight)) for weight in layer.norm.weights]
    vectors = tokens[TOKENS] @ kernel if projection == "before" else tokens[TOKENS]
    want = layer_norm(vectors + segments[SEGMENTS] + positions, *norm, 0.1)
    if projection == "after":
        want = want @ kernel + np.float64(to_numpy(layer.widen.bias))
    assert (layer.widen.bias is None) == (projection == "before")
    np.testing.assert_allclose(to_numpy(layer(TOKENS, SEGMENTS)), want, atol=1e-5)


def test_hierarchical_positions_keep_the_first_rows_and_tell_later_places_apart():
    tokens = np.full((1, 9), 4, "int32")
    plain = TextEmbedding(**SIZE, max_positions=3)
    layer = TextEmbedding(**SIZE, max_positions=3, hierarchical_alpha=0.4)
    for one in (plain, layer):
        one.build((None, None), (None, None))
        randomize(one)
    first = to_numpy(plain(tokens[:, :3], np.zeros((1, 3), "int32")))
    got = to_numpy(layer(tokens, np.zeros((1, 9), "int32")))
    np.testing.assert_allclose(got[:, :3], first, atol=1e-5)
    table = np.float64(to_numpy(layer.position_table))
    base = (table - 0.4 * table[0]) / 0.6
    sums = np.float64(to_numpy(layer.token_table))[4] + np.float64(to_numpy(layer.segment_table))[0]
    norm = [np.float64(to_numpy(weight)) for weight in layer.norm.weights]
    want = layer_norm(sums + 0.4 * base[2] + 0.6 * base[1], *norm, 1e-12)  # place 7 = 2 * 3 + 1
    np.testing.assert_allclose(got[0, 7], want, atol=1e-5)
    assert len(np.unique(got[0].round(4), axis=0)) == 9


def test_hierarchical_positions_end_at_the_square_of_the_table():
    layer = TextEmbedding(**SIZE, max_positions=2, hierarchical_alpha=0.4)
    with pytest.raises(ValueError, match="length 5 exceeds max_positions=4"):
        layer(TOKENS, SEGMENTS)


@pytest.mark.parametrize("alpha", [0.0, 0.4])
def test_offsets_act_like_a_table_that_was_changed(rng, alpha):
    layer = TextEmbedding(**SIZE, max_positions=5, hierarchical_alpha=alpha)
    layer(TOKENS, SEGMENTS)
    randomize(layer)
    plain = to_numpy(layer(TOKENS, SEGMENTS))
    assert list(layer.tables) == ["token_embedding", "segment_embedding", "position_embedding"]
    for name, table in layer.tables.items():
        offset = rng.normal(size=table.shape).astype("float32")
        with shifting({name: offset}):
            got = to_numpy(layer(TOKENS, SEGMENTS))
        before = to_numpy(table)
        table.assign(before + offset)
        np.testing.assert_allclose(got, to_numpy(layer(TOKENS, SEGMENTS)), atol=1e-6)
        assert np.abs(got - plain).max() > 0.1
        table.assign(before)
    np.testing.assert_array_equal(to_numpy(layer(TOKENS, SEGMENTS)), plain)


def test_a_layer_without_positions_has_no_table_of_them():
    layer = TextEmbedding(**SIZE)
    layer(TOKENS, SEGMENTS)
    assert list(layer.tables) == ["token_embedding", "segment_embedding"]


def test_the_gradient_of_a_token_seen_thousands_of_times_adds_up_in_float32(rng):
    tokens, above = np.full((32, 128), 3, "int32"), rounded(rng.uniform(0.0, 2.0, size=(32, 128, 8)) * np.arange(8))

    def gradient(dtype):
        layer = TextEmbedding(**SIZE, seed=0, dtype=dtype)
        layer.build(tokens.shape)

        def looked_up(offset):
            with shifting({"token_embedding": offset}):
                return ops.cast(layer(tokens, np.zeros_like(tokens)), "float32")

        return differentiate(looked_up, [np.zeros((10, 8))], above)[1][0]

    got, want = gradient("mixed_bfloat16"), gradient("float32")
    assert not got[[0, 1, 2, *range(4, 10)]].any()
    # Added up in bfloat16 the sum stops growing when it is 256 times what is added.
    np.testing.assert_allclose(got[3], want[3], atol=0.03 * np.abs(want[3]).max())
