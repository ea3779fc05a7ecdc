import json
import os
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.errors import UserError
from shared.pretrained.safetensors_files import read_safetensors, read_sharded
from tests.shared.pretrained.torch_writer import write_zip

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"


def write(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    """Writes a file with any header, JSON or bytes, and any claim of its length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(begin: Any, end: Any, shape: Any, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def refusal(path: Path, read: Any = read_safetensors) -> str:
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path.parent))
    assert "\n" not in message
    assert len(message) < 600 + len(str(path))
    return message


def test_tensors_come_back_as_the_package_wrote_them(tmp_path, rng):
    dtypes = ["float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    arrays = {name: (rng.normal(size=(2, 3)) * 3).astype(name) for name in dtypes}
    arrays |= {"scalar": np.array(2.5, np.float32), "empty": np.zeros((0, 3), np.float32)}
    save_file(arrays, tmp_path / "model.safetensors", metadata={"format": "pt"})
    tensors = read_safetensors(tmp_path / "model.safetensors")
    assert set(tensors) == set(arrays)
    for name, array in arrays.items():
        found = tensors[name].read()
        assert (tensors[name].shape, tensors[name].dtype, found.dtype) == (array.shape, array.dtype.name, array.dtype)
        np.testing.assert_array_equal(found, array)


def test_bfloat16_is_read(tmp_path):
    array = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    found = read_safetensors(write(tmp_path / "a.safetensors", {"w": entry(0, 4, [2], "BF16")}, array.tobytes()))["w"]
    assert (found.dtype, found.read().dtype) == ("bfloat16", array.dtype)
    np.testing.assert_array_equal(found.read(), array)


def test_each_read_is_a_fresh_array(tmp_path):
    save_file({"a": np.ones(3, np.float32)}, tmp_path / "a.safetensors")
    tensor = read_safetensors(tmp_path / "a.safetensors")["a"]
    tensor.read()[:] = 5
    np.testing.assert_array_equal(tensor.read(), [1, 1, 1])


@pytest.mark.parametrize(
    ("header", "size", "words"),
    [
        ({"w": entry(0, 8, [2])}, 4, "truncated"),
        ({"w": entry(0, 8, [2])}, 12, "followed by other bytes"),
        ({"w": entry(4, 12, [2])}, 12, "leaves a hole before it: begins at byte 4, expected 0"),
        ({"v": entry(0, 8, [2]), "w": entry(4, 12, [2])}, 12, "'w' overlaps the tensor before it"),
        ({"v": entry(0, 8, [2]), "w": entry(0, 8, [2])}, 8, "'w' overlaps the tensor before it"),
        ({"w": entry(0, 8, [3])}, 8, "has the bytes [0, 8], but float32 of shape [3] takes 12"),
        ({"w": entry(8, 0, [2])}, 8, "has the bytes [8, 0]"),
        ({"w": entry(0, 8, [1 << 40, 1 << 40])}, 8, "has the bytes [0, 8]"),
        ({"w": entry(0, 1 << 62, [1 << 60])}, 8, "truncated"),
        ({"w": entry(-8, 0, [2])}, 8, "has the data_offsets [-8, 0]. Expected two byte positions"),
        ({"w": entry(0.0, 8, [2])}, 8, "Expected two byte positions"),
        ({"w": entry(False, 8, [2])}, 8, "Expected two byte positions"),
        ({"w": entry(0, 1 << 64, [2])}, 8, "Expected two byte positions"),
        ({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}, 8, "Expected two byte positions"),
        ({"w": entry(0, 8, [-1, -2])}, 8, "has the shape [-1, -2]. Expected at most 32 sizes, none negative"),
        ({"w": entry(0, 8, [1 << 64])}, 8, "none negative"),
        ({"w": entry(0, 8, [2.0])}, 8, "none negative"),
        ({"w": entry(0, 8, 2)}, 8, "none negative"),
        ({"w": entry(0, 4, [1] * 33)}, 4, "none negative"),
        ({"w": entry(0, 8, [2], "F4")}, 8, "has the dtype 'F4'. Expected one of ['BOOL', 'BF16'"),
        ({"w": entry(0, 8, [2], ["F32"])}, 8, "has the dtype ['F32']"),
        ({"w": [1]}, 8, "'w' is [1]. Expected dtype, shape and data_offsets"),
        ({"w": {"dtype": "F32"}}, 8, "Expected dtype, shape and data_offsets"),
        ([1], 0, "its header is no JSON object"),
        (b'{"w": 1, "w": 2}', 0, "its header has 'w' twice"),
        (b"{}{}", 0, "its header is no JSON"),
        (b"\xff\xfe", 0, "its header is no JSON"),
        (b"[" * 100_000, 0, "its header is no JSON"),
        (b'{"w":' + b"1" * 5000 + b"}", 0, "its header is no JSON"),
    ],
)
def test_claims_that_do_not_fit_are_refused(tmp_path, header, size, words):
    assert words in refusal(write(tmp_path / "model.safetensors", header, bytes(size)))


@pytest.mark.parametrize("length", [0, 1, 1000, 1 << 40, (1 << 64) - 1])
def test_a_header_longer_than_the_file_is_refused(tmp_path, length):
    path = write(tmp_path / "model.safetensors", {"w": entry(0, 4, [1])}, bytes(4), length)
    assert f"its first 8 bytes tell of a header of {length:,} bytes" in refusal(path)


def test_a_header_of_unusual_length_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.pretrained.safetensors_files.MAX_HEADER", 50)
    path = write(tmp_path / "model.safetensors", {"w" * 100: entry(0, 4, [1])}, bytes(4))
    assert "Expected at most 50." in refusal(path)


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"a": np.ones((2, 2), np.float32), "b": np.arange(3)}, path)
    content = path.read_bytes()
    for end in range(len(content)):
        path.write_bytes(content[:end])
        refusal(path)
    path.write_bytes(content[:-1])
    assert refusal(path) == (
        f"{path}: truncated: {len(content) - 1:,} bytes, of {len(content):,} its header tells. Download it again."
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (POINTER, "a Git LFS pointer of 64 bytes"), (b"<!DOCTYPE html><html></html>", "not safetensors")],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, words):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert words in refusal(tmp_path / "model.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    assert "not a file" in refusal(tmp_path / "model.safetensors")


# --- several files ------------------------------------------------------------------------------------------------


def shards(folder: Path, places: Any = None) -> Path:
    """Writes two shards and their index. places: in place of the weight_map."""
    save_file({"a": np.ones(2, np.float32), "b": np.zeros(3, np.float32)}, folder / "model-00001-of-00002.safetensors")
    save_file({"c": np.full(4, 2.0, np.float32)}, folder / "model-00002-of-00002.safetensors")
    usual = {name: f"model-0000{1 + (name == 'c')}-of-00002.safetensors" for name in "abc"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 36}, "weight_map": usual if places is None else places}))
    return index


def test_shards_are_read_as_one(tmp_path):
    tensors = read_sharded(shards(tmp_path))
    assert list(tensors) == ["a", "b", "c"]
    np.testing.assert_array_equal(tensors["c"].read(), np.full(4, 2.0))
    assert tensors["c"].file.name == "model-00002-of-00002.safetensors"


def test_shards_of_pytorch_are_read_as_one(tmp_path):
    write_zip(tmp_path / "pytorch_model-00001-of-00002.bin", {"a": np.ones(2, np.float32)})
    write_zip(tmp_path / "pytorch_model-00002-of-00002.bin", {"b": np.zeros(2, np.float32)})
    index = tmp_path / "pytorch_model.bin.index.json"
    places = {name: f"pytorch_model-0000{1 + (name == 'b')}-of-00002.bin" for name in "ab"}
    index.write_text(json.dumps({"weight_map": places}))
    assert [float(tensor.read()[0]) for tensor in read_sharded(index).values()] == [1.0, 0.0]


def test_a_missing_shard_is_named(tmp_path):
    index = shards(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert refusal(index, read_sharded) == (
        f"{index}: 1 of the 2 files it names are missing: 'model-00002-of-00002.safetensors'. "
        "The download is not complete."
    )


@pytest.mark.parametrize(
    "place",
    [
        "../model.safetensors",
        "/etc/model.safetensors",
        "sub/model.safetensors",
        "..\\model.safetensors",
        "C:model.safetensors",
        "model.safetensors\x00",
        "a\n.safetensors",
        "x" * 300 + ".safetensors",
        "config.json",
        "..",
        "",
    ],
)
def test_an_index_that_names_a_path_is_refused(tmp_path, place):
    folder = tmp_path / "folder"
    folder.mkdir()
    save_file({"a": np.ones(2, np.float32)}, tmp_path / "model.safetensors")
    assert "Expected .safetensors or .bin files beside the index" in refusal(shards(folder, {"a": place}), read_sharded)


def test_a_shard_that_is_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    index = shards(folder)
    shard = folder / "model-00002-of-00002.safetensors"
    shard.rename(tmp_path / "elsewhere.safetensors")
    shard.symlink_to("../elsewhere.safetensors")
    assert f"a link out of its folder, to {tmp_path / 'elsewhere.safetensors'}" in refusal(index, read_sharded)


def test_a_shard_that_is_a_link_within_the_folder_is_read(tmp_path):
    index = shards(tmp_path)
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.rename(tmp_path / "real")
    shard.symlink_to("real")
    assert len(read_sharded(index)) == 3


@pytest.mark.parametrize("store", ["blobs/" + "0a" * 32, "files/md5/0a/" + "b1" * 15])
def test_shards_in_a_store_of_hugging_face_or_dvc_are_read(tmp_path, store):
    folder = tmp_path / "snapshots" / "main"
    folder.mkdir(parents=True)
    index = shards(folder)
    shard = folder / "model-00002-of-00002.safetensors"
    (tmp_path / store).parent.mkdir(parents=True)
    shard.rename(tmp_path / store)
    shard.symlink_to(tmp_path / store)
    assert len(read_sharded(index)) == 3


def test_an_index_and_shards_of_two_releases_are_refused(tmp_path):
    first, second = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    index = shards(tmp_path, {"a": first, "b": first, "c": second, "d": second})
    assert f"places 'd' in {second}, which lacks it" in refusal(index, read_sharded)
    index = shards(tmp_path, {"a": first, "c": second})
    assert f"does not place 'b' in {first}, which has it" in refusal(index, read_sharded)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[]", "no 'weight_map'"),
        (b"{}", "no 'weight_map'"),
        (b'{"weight_map": {}}', "no 'weight_map'"),
        (b'{"weight_map": {"a": 1}}', "no 'weight_map'"),
        (b'{"weight_map": ', "not JSON"),
        (POINTER, "a Git LFS pointer"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path, content, words):
    index = tmp_path / "model.safetensors.index.json"
    index.write_bytes(content)
    assert words in refusal(index, read_sharded)


def test_a_damaged_shard_is_refused(tmp_path):
    index = shards(tmp_path)
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert "truncated" in refusal(index, read_sharded)
    shard.write_bytes(POINTER)
    assert "a Git LFS pointer" in refusal(index, read_sharded)
