import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.arrays import VERSION, Ragged, Split
from shared.errors import UserError

ROWS = st.lists(st.lists(st.integers(0, 2**16 - 1), max_size=6), max_size=6)
TEXTS = st.lists(st.text(st.characters(), max_size=8), max_size=5)  # lone surrogates too


def sample() -> Split:
    return Split(
        {
            "token_ids": Ragged.of([[1, 2, 3], [], [4]], np.uint16),
            "label": np.array([0, 1, -1], np.int32),
            "scores": np.array([[0.5, 1.5], [0.0, -1.0], [np.inf, 2.0]], np.float32),
            "id": Ragged.of_texts(["ss0_a", "", "今\ud800天"]),
        }
    )


def loaded(split: Split, folder) -> Split:
    split.save(folder / "split.safetensors")
    return Split.load(folder / "split.safetensors")


def assert_equal_splits(got: Split, want: Split) -> None:
    assert list(got) == list(want)
    assert got.rows == want.rows
    for name, field in want.items():
        for a, b in zip(parts(got[name]), parts(field), strict=True):
            assert a.dtype == b.dtype, name
            np.testing.assert_array_equal(a, b)


def parts(field):
    return (field.values, field.offsets) if isinstance(field, Ragged) else (field,)


def fault(tmp_path, data: bytes) -> str:
    path = tmp_path / "train.safetensors"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        Split.load(path)
    return str(error.value).replace(f"{tmp_path}/", "")


def file_with(**header) -> bytes:
    return safetensors.numpy.save({"a": np.zeros(2)}, metadata={"split": json.dumps(header)})


@settings(deadline=None)
@given(ROWS, TEXTS)
def test_rows_and_texts_come_back(rows, texts):
    ragged = Ragged.of(rows, np.uint16)
    assert [row.tolist() for row in ragged] == rows
    assert ragged.lengths.tolist() == [len(row) for row in rows]
    assert (ragged.values.dtype, ragged.offsets.dtype) == (np.uint16, np.int64)
    assert Ragged.of_texts(texts).texts() == texts


@settings(deadline=None)
@given(ROWS, st.integers(0, 8), st.data())
def test_padded_rows_are_cut_and_filled(rows, width, data):
    chosen = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1))) if rows else [], np.int64)
    got = Ragged.of(rows, np.uint16).padded(chosen, width, fill=7)
    assert got.dtype == np.int32
    assert got.shape == (len(chosen), width)
    assert got.tolist() == [(rows[row] + [7] * width)[:width] for row in chosen]


def test_padded_fills_with_zero_by_default():
    assert Ragged.of([[5], [6, 7]], np.uint8).padded(np.array([1, 0, 1]), 2).tolist() == [[6, 7], [5, 0], [6, 7]]


def test_a_split_comes_back_with_its_types_and_order(tmp_path):
    assert_equal_splits(loaded(sample(), tmp_path), sample())


@pytest.mark.parametrize(
    "split",
    [
        Split({}),
        Split({"token_ids": Ragged.of([], np.uint16), "label": np.zeros(0, np.int32), "id": Ragged.of_texts([])}),
        Split({"token_ids": Ragged.of([[], []], np.uint16), "id": Ragged.of_texts(["", ""])}),
        Split({"label": np.zeros((3, 0), np.float32)}),
    ],
    ids=["no fields", "no rows", "empty rows", "no columns"],
)
def test_empty_splits_come_back(tmp_path, split):
    assert_equal_splits(loaded(split, tmp_path), split)


def test_arrays_that_are_not_contiguous_come_back(tmp_path):
    split = Split({"label": np.arange(12, dtype=np.int32).reshape(3, 4).T, "column": np.arange(8)[::2]})
    assert_equal_splits(loaded(split, tmp_path), split)


def test_equal_splits_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        sample().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_is_written_over_whole(tmp_path):
    loaded(sample(), tmp_path)
    assert list(loaded(Split({"label": np.zeros(1)}), tmp_path)) == ["label"]
    assert [path.name for path in tmp_path.iterdir()] == ["split.safetensors"]


def test_fields_of_different_row_counts_are_refused():
    with pytest.raises(ValueError, match=r"differ in rows: \{'a': 2, 'b': 3\}"):
        Split({"a": np.zeros(2), "b": Ragged.of([[], [], []], np.int32)})


def test_a_field_is_asked_for_by_its_kind():
    split = sample()
    assert split.dense("label").tolist() == [0, 1, -1]
    assert split.ragged("token_ids").lengths.tolist() == [3, 0, 1]
    with pytest.raises(TypeError, match="'token_ids' is ragged"):
        split.dense("token_ids")
    with pytest.raises(TypeError, match="'label' is dense"):
        split.ragged("label")
    with pytest.raises(KeyError):
        split["none"]


def test_a_missing_file_says_which_stage_writes_it(tmp_path):
    with pytest.raises(UserError, match=r"none.safetensors: no such file. Run the prepare stage first"):
        Split.load(tmp_path / "none.safetensors")


def test_a_damaged_file_is_no_split(tmp_path):
    sample().save(tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    for data in (b"", b"no split", good[:-1], good[:20], b"\xff" * 64):
        assert fault(tmp_path, data).startswith("train.safetensors: not a prepared split ")


@pytest.mark.parametrize(
    "data",
    [
        safetensors.numpy.save({"a": np.zeros(2)}),
        safetensors.numpy.save({"a": np.zeros(2)}, metadata={"format": "pt"}),
        safetensors.numpy.save({"a": np.zeros(2)}, metadata={"split": "no JSON"}),
    ],
    ids=["no metadata", "of another program", "not JSON"],
)
def test_a_foreign_file_is_no_split(tmp_path, data):
    text = fault(tmp_path, data)
    assert text.startswith("train.safetensors: not a prepared split ")
    assert text.endswith("Run the prepare stage again.")


def test_a_file_of_another_version_is_refused(tmp_path):
    text = fault(tmp_path, file_with(version=VERSION - 1, rows=2, fields=["a"]))
    assert f"version {VERSION - 1}, this kit reads" in text
    assert text.endswith("Run the prepare stage again.")


def test_rows_are_taken_in_the_order_asked_for():
    split = Split({"a": Ragged.of([[1], [2, 3], []], np.uint8), "b": np.array([[1, 2], [3, 4], [5, 6]])})
    taken = split.take(np.array([2, 1, 1]))
    assert [row.tolist() for row in map(taken.ragged("a").__getitem__, range(3))] == [[], [2, 3], [2, 3]]
    assert taken.ragged("a").values.dtype == np.uint8
    assert taken.dense("b").tolist() == [[5, 6], [3, 4], [3, 4]]
