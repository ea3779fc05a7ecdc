import io
import zipfile

import pytest

from shared import zip_files
from shared.errors import UserError
from shared.zip_files import is_zip, read_zip, zip_of


def members(tmp_path, content: bytes) -> list[tuple[str, bytes]]:
    (tmp_path / "a.zip").write_bytes(content)
    return list(read_zip(tmp_path / "a.zip", "a.json"))


def test_a_zip_of_ours_is_read_back_and_has_the_same_bytes_every_time(tmp_path):
    content = zip_of("a.json", "甲\n".encode())
    assert content == zip_of("a.json", "甲\n".encode())
    assert is_zip(content)
    assert members(tmp_path, content) == [("a.json", "甲\n".encode())]


def test_folders_are_left_out_and_compressed_files_are_read(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("inner")
        archive.writestr("inner/a.json", "x" * 1000)
    assert members(tmp_path, packed.getvalue()) == [("inner/a.json", b"x" * 1000)]


def test_an_unusual_compression_is_refused(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.json", "x")
    with pytest.raises(UserError, match=r"a.json is compressed by method 12. Use deflate"):
        members(tmp_path, packed.getvalue())


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_files, "MAX_BYTES", 10)
    with pytest.raises(UserError, match=r"would unpack to 11 bytes. Expected at most 10"):
        members(tmp_path, zip_of("a.json", b"x" * 11))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_what_is_no_zip_is_refused(tmp_path, content):
    with pytest.raises(UserError, match=r"a.zip: not a zip, or a damaged one: .* Expected a zip with a.json"):
        members(tmp_path, content)
