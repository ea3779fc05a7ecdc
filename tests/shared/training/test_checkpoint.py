import keras
import numpy as np
import pytest

from shared.training.checkpoint import NAME, assign, load_state, save_state, values

GROUPS = {
    "network": [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(2)],
    "optimizer": [np.int64(7)],
    "best": [],
}
PROGRESS = {"epoch": 2, "history": [{"loss": 0.1 + 0.2}], "best_score": float("-inf")}


def test_a_state_comes_back_with_types_shapes_and_every_digit(tmp_path):
    save_state(tmp_path, GROUPS, PROGRESS)
    groups, progress = load_state(tmp_path)
    assert progress == PROGRESS
    assert {name: len(arrays) for name, arrays in groups.items()} == {"network": 2, "optimizer": 1, "best": 0}
    for name, arrays in GROUPS.items():
        for got, want in zip(groups[name], arrays, strict=True):
            assert (got.dtype, got.shape) == (want.dtype, want.shape)
            np.testing.assert_array_equal(got, want)


def test_a_later_state_takes_the_place_of_the_earlier(tmp_path):
    save_state(tmp_path / "new", GROUPS, {"epoch": 1})
    save_state(tmp_path / "new", GROUPS, {"epoch": 2})
    assert load_state(tmp_path / "new")[1] == {"epoch": 2}
    assert [path.name for path in (tmp_path / "new").iterdir()] == [NAME]


@pytest.mark.parametrize("damage", ["cut", "empty", "no state", "absent", "no folder"])
def test_a_damaged_or_absent_state_is_none(tmp_path, damage):
    save_state(tmp_path, GROUPS, PROGRESS)
    path = tmp_path / NAME
    data = path.read_bytes()
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes({"cut": data[:-3], "empty": b"", "no state": b"\x02" + b"\0" * 7 + b"{}"}.get(damage, data))
    assert load_state(tmp_path / "none" if damage == "no folder" else tmp_path) is None


def test_values_are_copies_and_assign_brings_them_back():
    variables = [keras.Variable([1.0, 2.0]), keras.Variable(3, dtype="int32", trainable=False)]
    saved = values(variables)
    variables[0].assign([5.0, 6.0])
    assert saved[0].tolist() == [1.0, 2.0]
    assign(variables, saved)
    assert values(variables)[0].tolist() == [1.0, 2.0]
    with pytest.raises(ValueError):
        assign(variables, saved[:1])
