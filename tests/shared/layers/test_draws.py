import keras
import numpy as np
import pytest

from shared.layers.draws import Draws, current, drawing, drawing_part, random_bits, step_key
from tests.conftest import to_numpy

KEY = (3, 7)  # seed and step


def bits(shape, salt=1, key=KEY, **more):
    return to_numpy(random_bits(Draws(step_key(*key), **more), salt, shape))


def compiled(function, *arguments):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return to_numpy(tf.function(function, autograph=False)(*map(tf.constant, arguments)))
    import jax

    return to_numpy(jax.jit(function)(*arguments))


def correlation(a, b):
    return np.corrcoef(np.float64(a).ravel(), np.float64(b).ravel())[0, 1]


def test_numbers_are_evenly_distributed():
    got = bits((256, 256))
    assert got.dtype == "uint16"
    assert got.shape == (256, 256)
    counts = np.bincount(got.ravel() >> 8, minlength=256)  # 256 of each expected
    assert 170 < ((counts - 256) ** 2 / 256).sum() < 350  # chi square of 255 degrees of freedom: 255, give or take 23
    for place in range(16):  # each bit is set in half of the numbers, with a standard deviation of 0.002
        assert abs(((got >> place) & 1).mean() - 0.5) < 0.01


def test_an_equal_key_gives_equal_numbers():
    np.testing.assert_array_equal(bits((4, 6)), bits((4, 6), key=(3, 7)))


@pytest.mark.parametrize("other", [{"key": (3, 8)}, {"key": (4, 7)}, {"salt": 2}, {"part": 1}], ids=str)
def test_another_step_seed_layer_or_part_gives_unrelated_numbers(other):
    one, two = bits((256, 256)), bits((256, 256), **other)
    assert (one == two).mean() < 0.001
    assert abs(correlation(one, two)) < 0.02  # standard deviation of chance: 0.004


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_neighbours_are_unrelated(axis):
    got = bits((32, 32, 64))
    before, after = (np.delete(got, end, axis) for end in (-1, 0))
    assert abs(correlation(before, after)) < 0.02


def test_the_first_numbers_of_many_steps_are_unrelated():
    first = np.stack([bits((2, 2), key=(0, step)) for step in range(300)]).reshape(300, 4)
    assert len(np.unique(first[:, 0])) > 290
    assert abs(np.float64(first).mean() / 65536 - 0.5) < 0.04  # standard deviation of chance: 0.008
    assert abs(correlation(first[1:], first[:-1])) < 0.15  # 0.03


@pytest.mark.parametrize("last", [1, 2, 3, 7])
def test_last_dimensions_may_be_odd(last):
    got = bits((64, 16, last))
    assert got.shape == (64, 16, last)
    assert len(np.unique(got)) > 0.9 * min(got.size, 40000)


@pytest.mark.parametrize("shape", [(8, 5), (8, 3, 4)])
def test_the_rows_of_a_divided_batch_get_those_of_the_whole(shape):
    whole = bits(shape)
    parts = [bits((2, *shape[1:]), first_row=first, rows=8) for first in (0, 2, 4, 6)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_more_rows_at_the_end_do_not_change_the_first():
    np.testing.assert_array_equal(bits((11, 3, 5))[:8], bits((8, 3, 5)))
    np.testing.assert_array_equal(bits((3, 3, 5), first_row=2, rows=11), bits((8, 3, 5))[2:5])


def test_compiled_code_draws_the_same_where_key_and_row_are_not_known_in_advance():
    def second_half(step, first_row):
        return random_bits(Draws(step_key(3, step), first_row, 8), 1, (4, 3, 5))

    np.testing.assert_array_equal(compiled(second_half, np.int32(7), np.int32(4)), bits((8, 3, 5))[4:])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow's graphs have open sizes")
def test_a_graph_of_open_sizes_draws_the_same():
    import tensorflow as tf

    def function(x):
        return random_bits(Draws(step_key(*KEY)), 1, tuple(tf.unstack(tf.shape(x))))

    graph = tf.function(function, input_signature=[tf.TensorSpec((None, None, None))], autograph=False)
    np.testing.assert_array_equal(to_numpy(graph(np.zeros((4, 3, 5), "float32"))), bits((4, 3, 5)))


def test_keys_of_steps_and_seeds_do_not_meet():
    steps = np.arange(2000, dtype="int32")
    keys = np.concatenate([to_numpy(step_key(seed, steps)) for seed in (0, 1, 42)])
    assert keys.dtype == "uint32"
    assert len(np.unique(keys)) == 6000


def test_draws_are_in_force_within_their_block_only():
    outer, inner = Draws(KEY), Draws(KEY, 2, 8)
    assert current() is None
    with drawing(outer):
        with drawing(inner):
            assert current() is inner
        assert current() is outer
        with pytest.raises(RuntimeError), drawing(inner):
            raise RuntimeError
        assert current() is outer
    assert current() is None


def test_a_part_changes_nothing_else_and_ends_with_its_block():
    draws = Draws(KEY, 2, 8)
    with drawing(draws):
        with drawing_part(3):
            assert current() == Draws(KEY, 2, 8, part=3)
        assert current() is draws


def test_a_part_outside_of_any_draws_is_none():
    with drawing_part(3):
        assert current() is None


def test_parts_are_told_apart_from_layers():
    drawn = [bits((64, 64), salt=salt, part=part) for salt in range(3) for part in range(3)]
    assert max((one == two).mean() for i, one in enumerate(drawn) for two in drawn[:i]) < 0.01
