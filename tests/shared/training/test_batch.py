import numpy as np
import pytest

from shared.training.batch import Batch, filled


def batch(rows: int) -> Batch:
    tokens = np.arange(rows * 2).reshape(rows, 2)
    return Batch({"token_ids": tokens}, {"label": np.arange(rows) * 10}, np.ones(rows, np.float32))


@pytest.mark.parametrize(("rows", "multiple"), [(4, 1), (4, 2), (6, 3)])
def test_a_batch_of_a_fitting_size_stays_itself(rows, multiple):
    one = batch(rows)
    assert filled(one, multiple) is one


def test_rows_that_fill_up_are_the_first_ones_once_more_and_weigh_nothing():
    got = filled(batch(3), 5)
    assert got.inputs["token_ids"].tolist() == [[0, 1], [2, 3], [4, 5], [0, 1], [2, 3]]
    assert got.targets["label"].tolist() == [0, 10, 20, 0, 10]
    assert got.weight.tolist() == [1, 1, 1, 0, 0]
    assert got.weight.dtype == np.float32


def test_more_rows_than_there_are_can_be_filled_up():
    got = filled(batch(2), 7)
    assert got.targets["label"].tolist() == [0, 10, 0, 10, 0, 10, 0]
    assert got.weight.sum() == 2


def test_rows_filled_up_before_weigh_nothing_still():
    got = filled(filled(batch(1), 2), 3)
    assert got.weight.tolist() == [1, 0, 0]


def test_the_shape_tells_batches_apart_by_the_sizes_of_all_arrays():
    one, other = batch(3), batch(3)
    assert one.shape == other.shape
    assert hash(one.shape) == hash(other.shape)
    assert one.shape != batch(4).shape
    wider = Batch(one.inputs, one.targets | {"label": np.zeros((3, 1))}, one.weight)
    assert wider.shape != one.shape
