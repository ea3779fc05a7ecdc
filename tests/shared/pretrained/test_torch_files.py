import pickle
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from shared.errors import UserError
from shared.pretrained.restricted_pickle import MAX_BYTES
from shared.pretrained.torch_files import read_torch
from tests.shared.pretrained.torch_writer import (
    ORDERED_DICT,
    Built,
    Call,
    Global,
    Persistent,
    Raw,
    parameter,
    tensor,
    write_stream,
    write_zip,
)

WRITERS = pytest.mark.parametrize("write", [write_zip, write_stream])
FLOATS = Global("torch", "FloatStorage")


def storage(write: Any, key: Any = "0", size: Any = 6, kind: Any = FLOATS) -> Persistent:
    return Persistent(("storage", kind, key, "cpu", size, *([None] if write is write_stream else [])))


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        [found.read() for found in read_torch(path).values()]
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 600 + len(str(path))
    return message


@WRITERS
@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_come_back_in_order_with_their_dtypes(tmp_path, rng, write, protocol):
    dtypes = ["float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    arrays = {name: (rng.normal(size=(2, 3)) * 3).astype(name) for name in dtypes}
    arrays |= {"bfloat16": rng.normal(size=5).astype(ml_dtypes.bfloat16), "scalar": np.array(2.5, np.float32)}
    arrays |= {"empty": np.zeros((0, 3), np.float32)}
    tensors = read_torch(write(tmp_path / "pytorch_model.bin", arrays, protocol))
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        found = tensors[name].read()
        assert (tensors[name].shape, tensors[name].dtype, found.dtype) == (array.shape, array.dtype.name, array.dtype)
        assert tensors[name].bytes == array.nbytes
        np.testing.assert_array_equal(found, array)


@WRITERS
def test_views_of_one_storage_come_back_as_what_they_show(tmp_path, rng, write):
    base = rng.normal(size=(6, 4)).astype(np.float32)
    cube = rng.normal(size=(2, 3, 4)).astype(np.float32)
    arrays = {"whole": base, "tied": base, "transposed": base.T, "rows": base[1:4], "columns": base[:, 1:3]}
    arrays |= {"every_second": base[::2], "permuted": cube.transpose(2, 0, 1), "one": base[2:3].T}
    tensors = read_torch(write(tmp_path / "pytorch_model.bin", arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(tensors[name].read(), array, err_msg=name)


@WRITERS
def test_each_read_is_a_fresh_array(tmp_path, write):
    array = np.ones((2, 3), np.float32)
    tensors = read_torch(write(tmp_path / "pytorch_model.bin", {"a": array, "b": array.T}))
    tensors["a"].read()[:] = 5
    tensors["b"].read()[:] = 6
    np.testing.assert_array_equal(tensors["a"].read(), array)


@WRITERS
def test_parameters_and_versions_of_modules_are_read_through(tmp_path, write):
    metadata = Call(ORDERED_DICT)
    state = Built({"w": parameter(np.ones(2, np.float32)), "steps": 3}, {"_metadata": metadata})
    tensors = read_torch(write(tmp_path / "pytorch_model.bin", state))
    assert list(tensors) == ["w"]
    np.testing.assert_array_equal(tensors["w"].read(), [1, 1])


@WRITERS
@pytest.mark.parametrize("wrapper", ["state_dict", "model", "module"])
def test_a_state_dict_inside_that_of_a_training_script_is_found(tmp_path, write, wrapper):
    value = {"epoch": 3, wrapper: {"w": np.ones(2, np.float32)}, "optimizer": {"state": [np.zeros(2, np.float32)]}}
    assert list(read_torch(write(tmp_path / "checkpoint.pt", value))) == ["w"]


# --- code ---------------------------------------------------------------------------------------------------------

SYSTEM = Global("posix", "system")
BUILTIN = "builtins"
ATTACKS = {
    "os.system": (lambda canary: Call(SYSTEM, f"touch {canary}"), "'posix.system'"),
    "eval": (lambda canary: Call(Global(BUILTIN, "eval"), f"open({str(canary)!r}, 'w')"), "'builtins.eval'"),
    "exec of Python 2": (lambda canary: Call(Global("__builtin__", "eval"), "1"), "'__builtin__.eval'"),
    "getattr chain": (
        lambda canary: Call(Call(Global(BUILTIN, "getattr"), Global("os", "path"), "os"), "system"),
        "'builtins.getattr'",
    ),
    "attribute of an allowed function": (
        lambda canary: Call(Global("torch._utils", "_rebuild_tensor_v2.__globals__"), "os"),
        "'torch._utils._rebuild_tensor_v2.__globals__'",
    ),
    "numpy": (
        lambda canary: Call(Global("numpy.core.multiarray", "_reconstruct"), Global("numpy", "ndarray"), (0,), b"b"),
        "'numpy.core.multiarray._reconstruct'",
    ),
    "torch.load": (lambda canary: Call(Global("torch", "load"), str(canary)), "'torch.load'"),
    "a module": (lambda canary: Call(Global("copyreg", "_reconstructor"), 1, 2, 3), "'copyreg._reconstructor'"),
    "a class of the file": (lambda canary: Global("transformers.models.bert.modeling_bert", "BertModel"), "'transfo"),
    "setattr by BUILD": (lambda canary: Built({}, {"__setstate__": 1}), "to set attributes of a dict"),
    "setattr of slots": (lambda canary: Built({}, (None, {"__class__": 1})), "to set attributes of a dict"),
    "setattr of a list": (lambda canary: Built([], {"a": 1}), "to set attributes of a list"),
    "call of a value": (lambda canary: Call("os.system", str(canary)), "to call 'os.system'"),
    "call of a storage type": (lambda canary: Call(FLOATS, 1), "to call StorageType"),
    "NEWOBJ": (lambda canary: Raw(b"c__main__\nA\n)\x81"), "'__main__.A'"),
    "NEWOBJ of an allowed name": (lambda canary: Raw(b"ccollections\nOrderedDict\n)\x81"), "for an object (NEWOBJ)"),
    "INST": (lambda canary: Raw(f"(S'touch {canary}'\niposix\nsystem\n".encode()), "opcode STRING"),
    "INST without text": (lambda canary: Raw(b"(iposix\nsystem\n"), "for an object (INST 'posix system')"),
    "OBJ": (lambda canary: Raw(b"(ccollections\nOrderedDict\no"), "for an object (OBJ)"),
    "EXT1": (lambda canary: Raw(b"\x82\x01"), "for an object (EXT1 1)"),
    "PERSID": (lambda canary: Raw(b"Pfile:///etc/passwd\n"), "for an object (PERSID 'file:///etc/passwd')"),
    "BYTEARRAY8": (lambda canary: Raw(b"\x96" + struct.pack("<Q", 1) + b"a"), "the opcode BYTEARRAY8"),
}


class _Reduced:
    def __init__(self, command: str):
        self.command = command

    def __reduce__(self):
        import os

        return os.system, (self.command,)


@WRITERS
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_pickle_with_code_is_refused_and_nothing_runs(tmp_path, write, protocol, attack):
    make, words = ATTACKS[attack]
    canary = tmp_path / "canary"
    path = tmp_path / "pytorch_model.bin"
    for value in (make(canary), {"w": np.ones(2, np.float32), "x": {"y": [(make(canary),)]}}):
        assert words in refusal(write(path, value, protocol))
    assert not canary.exists()


def test_the_message_on_code_says_what_to_do(tmp_path):
    path = write_zip(tmp_path / "pytorch_model.bin", {"w": Call(SYSTEM, "true")})
    assert refusal(path) == (
        f"{path}: its pickle asks for 'posix.system', which tensors do not need and which could run code. Nothing was "
        "run. Take the safetensors file of the release, or have it saved again as torch.save(model.state_dict())."
    )


@WRITERS
def test_an_object_that_reduces_to_a_command_is_refused(tmp_path, write):
    canary = tmp_path / "canary"
    value = {"w": np.ones(2, np.float32), "x": _Reduced(f"touch {canary}")}
    assert ".system'" in refusal(write(tmp_path / "pytorch_model.bin", value))  # posix or nt
    assert not canary.exists()


@pytest.mark.parametrize("place", ["machine", "keys", "end"])
def test_code_around_the_state_dict_of_a_stream_is_refused(tmp_path, place):
    canary = tmp_path / "canary"
    attack: Any = Call(SYSTEM, f"touch {canary}")
    if place == "end":
        attack = pickle.dumps(_Reduced(f"touch {canary}"), 2)
    path = write_stream(tmp_path / "pytorch_model.bin", {"w": np.ones(2, np.float32)}, **{place: attack})
    assert ("bytes follow the last tensor" if place == "end" else "'posix.system'") in refusal(path)
    assert not canary.exists()


def test_a_plain_pickle_is_refused(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(pickle.dumps({"w": [1.0]}, 2))
    assert "a pickle, but none of PyTorch's" in refusal(path)
    path.write_bytes(pickle.dumps(_Reduced(f"touch {tmp_path / 'canary'}"), 2))
    assert ".system'" in refusal(path)
    assert not (tmp_path / "canary").exists()


@WRITERS
@pytest.mark.parametrize(
    "identity",
    [
        "../../etc/passwd",
        ("module", "os", "x.py", "import os"),
        ("storage", FLOATS, "../../etc/passwd", "cpu", 6),
        ("storage", FLOATS, "0/../0", "cpu", 6),
        ("storage", FLOATS, "0", "cpu", -1),
        ("storage", FLOATS, "0", "cpu", 1 << 70),
        ("storage", FLOATS, "0", "cpu", True),
        ("storage", "FloatStorage", "0", "cpu", 6),
        ("storage", FLOATS, 0, "cpu", 6),
        ("storage", ORDERED_DICT, "0", "cpu", 6),
    ],
)
def test_a_persistent_id_that_is_no_storage_is_refused(tmp_path, write, identity):
    if write is write_stream and isinstance(identity, tuple):
        identity = (*identity, None)
    path = write(tmp_path / "pytorch_model.bin", {"w": tensor(Persistent(identity), 0, (6,), (1,))})
    assert "its pickle refers to" in refusal(path)


PAIRED = b")" + b"q\x01h\x01\x86" * 99  # each is a pair of the one before: 2^99 parts to hash or to print
BOMBS = {
    "a text of 4 EB": (b"\x8d" + struct.pack("<Q", 1 << 62), "takes more than 16,777,216 bytes|is damaged"),
    "a text of negative length": (b"\x8d" + b"\xff" * 8, "is damaged"),
    "an integer of 2 GB": (b"\x8b" + struct.pack("<i", (1 << 31) - 1), "is damaged"),
    "bytes of 4 GB": (b"B" + struct.pack("<I", (1 << 32) - 1), "is damaged"),
    "a frame of 4 EB": (b"\x95" + struct.pack("<Q", 1 << 62), "holds a int"),
    "a memo of 4 G entries": (b"Nr" + struct.pack("<I", (1 << 32) - 1), "holds a int"),
    "pairs of pairs as a key": (b"}" + PAIRED + b"Ns", "is damaged: 'a tuple as a key'"),
}


@WRITERS
@pytest.mark.parametrize("bomb", BOMBS)
def test_what_a_pickle_claims_is_not_allocated(tmp_path, write, bomb):
    opcodes, words = BOMBS[bomb]
    path = write(tmp_path / "pytorch_model.bin", Raw(opcodes + b"K\x01"))
    tracemalloc.start()
    message = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert re.search(words, message), message
    assert peak < 3 * MAX_BYTES  # what a pickle may have


@WRITERS
def test_a_message_on_tuples_of_tuples_is_short(tmp_path, write):
    path = write(tmp_path / "pytorch_model.bin", {"w": tensor(Raw(PAIRED), 0, (1,), (1,))})
    assert "is a view of" in refusal(path)


@WRITERS
def test_a_pickle_of_too_many_steps_is_refused(tmp_path, write, monkeypatch):
    monkeypatch.setattr("shared.pretrained.restricted_pickle.MAX_STEPS", 100)
    path = write(tmp_path / "pytorch_model.bin", Raw(b"]" * 200))
    assert "takes more than 100 steps" in refusal(path)


@WRITERS
def test_a_pickle_of_too_many_bytes_is_refused(tmp_path, write, monkeypatch):
    monkeypatch.setattr("shared.pretrained.restricted_pickle.MAX_BYTES", 1000)
    monkeypatch.setattr("shared.pretrained.torch_storages.MAX_BYTES", 1000)
    path = write(tmp_path / "pytorch_model.bin", {"x" * 2000: np.ones(2, np.float32)})
    assert "Expected a state dict" in refusal(path) or "Is it a state dict?" in refusal(path)


@WRITERS
def test_an_entry_given_twice_is_refused(tmp_path, write):
    path = write(tmp_path / "pytorch_model.bin", Raw(b"}(X\x01\x00\x00\x00wK\x01X\x01\x00\x00\x00wK\x02u"))
    assert "has the entry 'w' twice" in refusal(path)


# --- sizes --------------------------------------------------------------------------------------------------------


@WRITERS
@pytest.mark.parametrize(
    ("offset", "shape", "strides", "words"),
    [
        (0, (7,), (1,), "do not fit its storage of 6 elements"),
        (1, (6,), (1,), "do not fit"),
        (-1, (2,), (1,), "do not fit"),
        (True, (2,), (1,), "do not fit"),
        (1 << 80, (2,), (1,), "do not fit"),
        (0, (2, 3), (4, 1), "do not fit"),
        (0, (1 << 40, 1 << 40), (0, 0), "do not fit"),
        (0, (7,), (0,), "do not fit"),
        (0, (-2, -3), (3, 1), "Expected at most 32 sizes, none negative"),
        (0, (1 << 70,), (1,), "Expected at most 32 sizes, none negative"),
        (0, (2.0, 3), (3, 1), "Expected at most 32 sizes, none negative"),
        (0, (1,) * 33, (1,) * 33, "Expected at most 32 sizes, none negative"),
        (0, "23", (3, 1), "Expected at most 32 sizes, none negative"),
        (5, (6,), (-1,), "has the strides (-1,)"),
        (0, (2, 3), (1,), "has the strides (1,)"),
        (0, (2,), None, "has the strides None"),
    ],
)
def test_a_tensor_that_leaves_its_storage_is_refused(tmp_path, write, offset, shape, strides, words):
    value = {"real": np.zeros(6, np.float32), "w": tensor(storage(write), offset, shape, strides)}
    assert words in refusal(write(tmp_path / "pytorch_model.bin", value))


def test_a_storage_of_another_size_than_its_numbers_is_refused(tmp_path):
    value = {"real": np.zeros(6, np.float32), "w": tensor(storage(write_zip, size=1 << 40), 0, (1 << 40,), (1,))}
    assert "has 24 bytes, expected 1,099,511,627,776 of float32" in refusal(write_zip(tmp_path / "a.bin", value))
    value["w"] = tensor(storage(write_stream, size=1 << 40), 0, (1 << 40,), (1,))
    assert "tells two sizes or dtypes of the storage 0" in refusal(write_stream(tmp_path / "b.bin", value))


@WRITERS
def test_a_storage_that_is_not_there_is_refused(tmp_path, write):
    value = {"w": tensor(storage(write, key="7"), 0, (6,), (1,))}
    assert "its storage 7 is not in the file" in refusal(write(tmp_path / "pytorch_model.bin", value))


def test_storages_in_the_stream_that_no_tensor_uses_are_refused(tmp_path):
    path = write_stream(tmp_path / "pytorch_model.bin", {"w": np.ones(2, np.float32)}, keys=["../x"])
    assert "has the storage '../x', which no tensor uses" in refusal(path)
    path = write_stream(tmp_path / "pytorch_model.bin", {"w": np.ones(2, np.float32)}, keys=["0", "0"])
    assert "its list of storages is damaged" in refusal(path)


@WRITERS
@pytest.mark.parametrize("value", [[1], 3, {"w": 1}, {}, {"model": {"w": 1}}])
def test_a_file_without_a_state_dict_is_refused(tmp_path, write, value):
    assert "Expected a state dict" in refusal(write(tmp_path / "pytorch_model.bin", value))


# --- containers ---------------------------------------------------------------------------------------------------


@WRITERS
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path, write):
    path = write(tmp_path / "pytorch_model.bin", {"w": np.ones((3, 4), np.float32), "v": np.arange(5)})
    content = path.read_bytes()
    for end in range(1, len(content)):
        path.write_bytes(content[:end])
        refusal(path)
    path.write_bytes(content[: len(content) - 30])
    assert "truncated or damaged" in refusal(path)


def test_damaged_numbers_and_names_in_a_zip_are_found_by_their_checksums(tmp_path):
    path = write_zip(tmp_path / "pytorch_model.bin", {"weight": np.full(4, 1.5, np.float32)})
    content = path.read_bytes()
    path.write_bytes(content.replace(np.float32(1.5).tobytes(), np.float32(2.5).tobytes()))
    assert "'weight': its bytes are damaged (CRC-32)" in refusal(path)
    path.write_bytes(content.replace(b"weight", b"wright"))
    assert "its pickle is damaged (CRC-32)" in refusal(path)


def test_a_zip_without_checksums_is_read(tmp_path):
    path = write_zip(tmp_path / "pytorch_model.bin", {"w": np.full(4, 1.5, np.float32)})
    content = bytearray(path.read_bytes())
    place = 0
    while (place := content.find(b"PK\x01\x02", place)) >= 0:  # as torch.serialization.set_crc32_options(False)
        content[place + 16 : place + 20] = bytes(4)
        place += 1
    path.write_bytes(content)
    np.testing.assert_array_equal(read_torch(path)["w"].read(), np.full(4, 1.5))


def test_a_compressed_zip_is_refused(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    write_zip(path, {"w": np.ones(100, np.float32)}, compression=zipfile.ZIP_DEFLATED)
    assert "is compressed or encrypted, which PyTorch never does" in refusal(path)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "archive/../../x", "archive\\x", "archive//x", "archive/./x"]
)
def test_a_zip_with_paths_is_refused(tmp_path, name):
    def change(members: dict[str, bytes]) -> None:
        members[name] = b"x"

    path = write_zip(tmp_path / "pytorch_model.bin", {"w": np.ones(2, np.float32)}, change=change)
    assert "Expected plain names in one folder" in refusal(path)


def test_a_zip_with_two_state_dicts_or_none_is_refused(tmp_path):
    value = {"w": np.ones(2, np.float32)}

    def second(members: dict[str, bytes]) -> None:
        members["other/data.pkl"] = members["archive/data.pkl"]

    assert "a zip with 2 state dicts" in refusal(write_zip(tmp_path / "a.bin", value, change=second))
    path = write_zip(tmp_path / "b.bin", value, change=lambda members: members.pop("archive/data.pkl"))
    assert "a zip with 0 state dicts" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_name_twice_is_refused(tmp_path):
    path = write_zip(tmp_path / "pytorch_model.bin", {"w": np.ones(2, np.float32)})
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/data/0", np.zeros(2, np.float32).tobytes())
    assert "has the member 'archive/data/0' twice" in refusal(path)


def test_a_zip_whose_members_overlap_is_refused(tmp_path):
    path = write_zip(tmp_path / "pytorch_model.bin", {"a": np.ones(2, np.float32), "b": np.zeros(2, np.float32)})
    content = bytearray(path.read_bytes())
    entries = [place for place in range(len(content)) if content.startswith(b"PK\x01\x02", place)]
    first, second = entries[2], entries[3]  # of data/0 and data/1: the second takes the place of the first
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    path.write_bytes(content)
    assert "overlaps the one before" in refusal(path)


def test_a_zip_that_points_elsewhere_is_refused(tmp_path):
    path = write_zip(tmp_path / "pytorch_model.bin", {"a": np.ones(2, np.float32)})
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    content[entry + 42 : entry + 46] = struct.pack("<I", 5)
    path.write_bytes(content)
    assert "is not where the directory says" in refusal(path)


def test_big_endian_files_are_refused(tmp_path):
    value = {"w": np.ones(2, np.float32)}

    def change(members: dict[str, bytes]) -> None:
        members["archive/byteorder"] = b"big"

    assert "big-endian" in refusal(write_zip(tmp_path / "a.bin", value, change=change))
    assert "big-endian" in refusal(write_stream(tmp_path / "b.bin", value, machine={"little_endian": False}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty. Download it again."),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "a Git LFS pointer of 64 bytes"),
        (b"<!DOCTYPE html>", "begins with b'<!DO', as no file of PyTorch does"),
        (b"PK\x05\x06" + bytes(18), "begins with b'PK\\x05\\x06'"),
        (b"\x80\x02", "its pickle is damaged"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, words):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_file_that_shrinks_after_it_was_opened_is_refused(tmp_path):
    path = write_stream(tmp_path / "pytorch_model.bin", {"w": np.ones(200, np.float32)})
    found = read_torch(path)["w"]
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="has shrunk since it was opened"):
        found.read()
    path.unlink()
    with pytest.raises(UserError, match="no such file any more"):
        found.read()


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path / "none.bin").endswith("no such file.")
    assert "not a file" in refusal(tmp_path)
