import errno
import json
import os
from pathlib import Path

import pytest

from shared.errors import UserError
from shared.files import (
    new_folder,
    read_bytes,
    read_json,
    read_text,
    sha256_file,
    sha256_folder,
    write_bytes,
    write_json,
    write_text,
)


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_byte_order_mark_is_removed_and_line_ends_are_kept(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "一\r\n二\u2028\n".encode())
    assert read_text(path) == "一\r\n二\u2028\n"


def test_only_one_byte_order_mark_is_removed(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf\xef\xbb\xbfa")
    assert read_text(tmp_path / "a.txt") == "\ufeffa"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_named_with_line_and_offset(tmp_path, mark):
    (tmp_path / "a.txt").write_bytes(mark + b"ok\nno\xd6\xd0")
    with pytest.raises(UserError, match=rf"a.txt:2: not UTF-8: byte 0xd6 at offset {5 + len(mark)}\. .*iconv"):
        read_text(tmp_path / "a.txt")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none: no such file"):
        read_bytes(tmp_path / "none")
    with pytest.raises(UserError, match=r"cannot be read: Is a directory"):
        read_text(tmp_path)


def test_broken_json_is_named_with_line_and_column(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1,\n "b" 2}')
    with pytest.raises(UserError, match=r"a.json:2:6: not JSON"):
        read_json(tmp_path / "a.json")


def test_json_keeps_order_chinese_and_every_digit(tmp_path):
    value = {"乙": 0.1 + 0.2, "甲": [1, None]}
    write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "a.json") == json.loads(text) == value
    assert text.index("乙") < text.index("甲")
    assert text.endswith("}\n")


def test_json_refuses_nan_and_writes_nothing(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"f1": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_writing_makes_the_folder_and_replaces_the_old_file(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_text(path, "一\r\n")
    write_text(path, "二\n")
    assert path.read_bytes() == "二\n".encode()
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_bytes(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_no_space_left_keeps_the_old_file_and_leaves_no_temporary(tmp_path, monkeypatch, call):
    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, call, no_space)
    with pytest.raises(UserError, match=r"a.txt: cannot be written: No space left on device\. What stood there"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "model"
    for name in ("old", "new"):
        with new_folder(path) as folder:
            (folder / name).touch()
            assert folder.parent == tmp_path
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, UserError])
def test_an_error_inside_keeps_the_old_folder_and_leaves_no_temporary(tmp_path, error):
    path = tmp_path / "model"
    path.mkdir()

    def write_half():
        with new_folder(path) as folder:
            (folder / "half").touch()
            raise error

    with pytest.raises(error):
        write_half()
    assert list(tmp_path.iterdir()) == [path]
    assert list(path.iterdir()) == []


def test_no_space_left_inside_a_new_folder_is_the_users_to_mend(tmp_path):
    with pytest.raises(UserError, match=r"model: cannot be written: No space left"), new_folder(tmp_path / "model"):
        no_space()
    assert list(tmp_path.iterdir()) == []


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()
    replace = os.replace

    def fail_for_the_new_one(source, target):
        if Path(target) == path and not str(source).endswith(".old"):
            no_space()
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_for_the_new_one)
    with pytest.raises(UserError), new_folder(path) as folder:
        (folder / "new").touch()
    assert [file.name for file in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_the_hash_of_a_folder_follows_names_and_bytes(tmp_path):
    def hash_of(files: dict[str, bytes]) -> str:
        with new_folder(tmp_path / "folder") as folder:
            for name, data in files.items():
                write_bytes(folder / name, data)
        return sha256_folder(tmp_path / "folder")

    first = hash_of({"a": b"1", "b/c": b"2"})
    assert first == hash_of({"b/c": b"2", "a": b"1"})
    assert len({first, hash_of({"a": b"1", "b/d": b"2"}), hash_of({"a": b"1", "b/c": b"3"})}) == 3


def test_the_hash_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
