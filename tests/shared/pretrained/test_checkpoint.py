import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.errors import UserError
from shared.pretrained.checkpoint import open_checkpoint, sha256
from tests.shared.pretrained.torch_writer import Call, Global, write_stream, write_zip

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
ARRAYS = {"w": np.ones((2, 3), np.float32)}
CONFIG = {"model_type": "bert", "hidden_size": 3}


def release(folder: Path, format_: str = "safetensors", config: str = "config.json") -> Path:
    """Writes a folder as it is published."""
    folder.mkdir(exist_ok=True)
    (folder / config).write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    if format_ == "safetensors":
        save_file(ARRAYS, folder / "model.safetensors")
    elif format_ == "torch":
        write_zip(folder / "pytorch_model.bin", ARRAYS)
    else:
        save_tensorflow(folder / "bert_model.ckpt")
    return folder


def save_tensorflow(prefix: Path) -> None:
    import tensorflow as tf

    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=["w"], shape_and_slices=[""], tensors=[tf.constant(ARRAYS["w"])])


def save_shards(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"w": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def refusal(path: Path | str) -> str:
    with pytest.raises(UserError) as caught:
        open_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("format_", ["safetensors", "torch", "tensorflow"])
def test_a_folder_of_each_format_is_opened(tmp_path, format_):
    config = "bert_config.json" if format_ == "tensorflow" else "config.json"
    folder = release(tmp_path / "release", format_, config)
    checkpoint = open_checkpoint(str(folder))
    assert (checkpoint.path, checkpoint.format, checkpoint.config) == (folder, format_, CONFIG)
    assert (checkpoint.config_file, checkpoint.vocabulary_file) == (folder / config, folder / "vocab.txt")
    assert checkpoint.tokenizer == {}
    assert list(checkpoint.tensors) == ["w"]
    np.testing.assert_array_equal(checkpoint.tensors["w"].read(), ARRAYS["w"])


def test_safetensors_are_preferred_to_pickles_and_these_to_tensorflow(tmp_path):
    folder = release(tmp_path, "tensorflow")
    assert open_checkpoint(folder).format == "tensorflow"
    write_stream(folder / "pytorch_model.bin", ARRAYS)
    assert open_checkpoint(folder).format == "torch"
    save_file(ARRAYS, folder / "model.safetensors")
    assert open_checkpoint(folder).format == "safetensors"


def test_shards_are_opened_through_their_index(tmp_path):
    save_shards(release(tmp_path))
    checkpoint = open_checkpoint(tmp_path)
    assert [file.name for file in checkpoint.files] == [
        *("model.safetensors.index.json", "model-00001-of-00001.safetensors"),
        *("config.json", "vocab.txt"),
    ]
    assert list(checkpoint.tensors) == ["w"]


def test_a_missing_shard_is_an_error(tmp_path):
    save_shards(release(tmp_path))
    (tmp_path / "model-00001-of-00001.safetensors").unlink()
    assert "1 of the 1 files it names are missing: 'model-00001-of-00001.safetensors'" in refusal(tmp_path)


def test_shards_without_their_index_are_an_error(tmp_path):
    release(tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    for number in (1, 2):
        (tmp_path / f"model-0000{number}-of-00002.safetensors").write_bytes(content)
    (tmp_path / "model.safetensors").unlink()
    message = refusal(tmp_path)
    assert "has 2 weights (safetensors): model-00001-of-00002.safetensors, model-00002-of-00002" in message
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "one of 2 parts, without the index of them" in refusal(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["", "bert_model.ckpt", "bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.meta"],
)
def test_a_tensorflow_checkpoint_can_be_named_by_each_of_its_files(tmp_path, name):
    folder = release(tmp_path, "tensorflow")
    checkpoint = open_checkpoint(folder / name)
    assert [file.name for file in checkpoint.files] == [
        *("bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"),
        *("config.json", "vocab.txt"),
    ]


def test_of_several_weights_one_must_be_named(tmp_path):
    folder = release(tmp_path, "tensorflow")
    save_tensorflow(folder / "model.ckpt-100")
    (folder / "checkpoint").write_text('model_checkpoint_path: "/etc/passwd"\n')
    assert refusal(folder) == (
        f"{folder}: has 2 weights (tensorflow): bert_model.ckpt.index, model.ckpt-100.index. "
        "Name the one to use instead of the folder."
    )
    assert list(open_checkpoint(folder / "model.ckpt-100").tensors) == ["w"]


def test_weights_of_a_lower_preference_can_be_named(tmp_path):
    folder = release(tmp_path)
    write_zip(folder / "pytorch_model.bin", ARRAYS)
    assert open_checkpoint(folder / "pytorch_model.bin").format == "torch"


def test_weights_under_another_name_are_found(tmp_path):
    folder = release(tmp_path, "torch")
    (folder / "pytorch_model.bin").rename(folder / "electra.pt")
    write_zip(folder / "optimizer.pt", ARRAYS)
    write_zip(folder / "training_args.bin", {"x": Call(Global("os", "system"), "true")})
    assert open_checkpoint(folder).files[0].name == "electra.pt"


# --- configuration and vocabulary ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["config.json", "bert_config.json", "tokenizer_config.json", "generation_config.json"], "config.json"),
        (["bert_config.json", "bert_config_tiny.json"], "bert_config.json"),
        (["albert_config_tiny_g.json"], "albert_config_tiny_g.json"),
        (["base_discriminator_config.json", "base_generator_config.json"], "base_discriminator_config.json"),
        (["base_generator_config.json"], "base_generator_config.json"),
        (["discriminator.json", "generator.json"], "discriminator.json"),
        (["bert_config_large.json"], "bert_config_large.json"),
    ],
)
def test_the_configuration_is_found(tmp_path, names, found):
    folder = release(tmp_path)
    (folder / "config.json").unlink()
    for name in names:
        (folder / name).write_text('{"a": 1}')
    assert open_checkpoint(folder).config_file == folder / found


def test_a_configuration_can_be_named(tmp_path):
    folder = release(tmp_path)
    (folder / "generator_config.json").write_text('{"a": 1}')
    checkpoint = open_checkpoint(folder / "generator_config.json")
    assert (checkpoint.config, list(checkpoint.tensors)) == ({"a": 1}, ["w"])


def test_several_configurations_are_an_error(tmp_path):
    folder = release(tmp_path)
    (folder / "config.json").rename(folder / "albert_config_a.json")
    (folder / "albert_config_b.json").write_text("{}")
    assert "has 2 configurations: albert_config_a.json, albert_config_b.json. Name the one" in refusal(folder)


def test_a_missing_configuration_is_an_error(tmp_path):
    (release(tmp_path) / "config.json").unlink()
    assert refusal(tmp_path) == (
        f"{tmp_path}: no configuration (config.json, bert_config.json or the like). "
        "Found 'model.safetensors, vocab.txt'."
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "config.json:1:2: not JSON"),
        (b"[]", "holds a list. Expected a JSON object"),
        (b"", "empty"),
        (b"\xff", "not UTF-8"),
        (POINTER, "a Git LFS pointer"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_damaged_configuration_is_an_error(tmp_path, content, words):
    (release(tmp_path) / "config.json").write_bytes(content)
    assert words in refusal(tmp_path)


def test_the_only_vocabulary_is_found_whatever_its_name(tmp_path):
    (release(tmp_path) / "vocab.txt").rename(tmp_path / "vocab_chinese.txt")
    assert open_checkpoint(tmp_path).vocabulary_file == tmp_path / "vocab_chinese.txt"
    (tmp_path / "vocab_chinese.txt").unlink()
    assert open_checkpoint(tmp_path).vocabulary_file is None


def test_several_vocabularies_are_an_error_unless_one_has_the_usual_name(tmp_path):
    (release(tmp_path) / "vocab_a.txt").write_text("a\n")
    assert open_checkpoint(tmp_path).vocabulary_file == tmp_path / "vocab.txt"
    (tmp_path / "vocab.txt").rename(tmp_path / "vocab_b.txt")
    assert "has 2 vocabularies: vocab_a.txt, vocab_b.txt. Remove the others, or rename" in refusal(tmp_path)


def test_settings_of_the_tokenizer_are_read(tmp_path):
    (release(tmp_path) / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.tokenizer == {"do_lower_case": False}
    assert checkpoint.files[-1].name == "tokenizer_config.json"


def test_checksums_are_those_of_the_files(tmp_path):
    checkpoint = open_checkpoint(release(tmp_path))
    assert sha256(checkpoint) == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "config.json", "vocab.txt")
    }


# --- what is not a whole release ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt", "config.json", "tokenizer_config.json"])
def test_a_pointer_of_git_lfs_is_an_error(tmp_path, name):
    (release(tmp_path) / name).write_bytes(POINTER)
    assert refusal(tmp_path) == (
        f"{tmp_path / name}: a Git LFS pointer of 64 bytes, not the file itself. Run 'git lfs pull' in its repository, "
        "or download the file from where it is published."
    )


@pytest.mark.parametrize("suffix", [".part", ".incomplete", ".crdownload", ".aria2", ".download"])
def test_an_unfinished_download_is_an_error(tmp_path, suffix):
    folder = release(tmp_path)
    rest = folder / f"model.safetensors{suffix}"
    rest.write_bytes(b"x")  # beside a file of full size, as aria2 leaves it
    assert refusal(folder) == (
        f"{rest}: the download of model.safetensors is not complete. Finish it, or remove {rest.name}."
    )
    (folder / "model.safetensors").unlink()
    assert "no weights" in refusal(folder)
    assert f"but an unfinished download: {rest.name}. Finish it." in refusal(folder)
    assert "an unfinished download" in refusal(rest)


def test_an_unfinished_download_of_another_file_does_no_harm(tmp_path):
    (release(tmp_path) / "pytorch_model.bin.part").write_bytes(b"x")
    assert open_checkpoint(tmp_path).format == "safetensors"


def test_an_unfinished_download_of_hugging_face_is_an_error(tmp_path):
    (release(tmp_path) / "model.safetensors").unlink()
    rest = tmp_path / ".cache" / "huggingface" / "download" / "abc.incomplete"
    rest.parent.mkdir(parents=True)
    rest.write_bytes(b"x")
    assert "but an unfinished download: abc.incomplete" in refusal(tmp_path)


def test_data_of_tensorflow_without_their_index_are_an_error(tmp_path):
    (release(tmp_path, "tensorflow") / "bert_model.ckpt.index").unlink()
    assert "without its .index file. The download is not complete." in refusal(tmp_path)


@pytest.mark.parametrize("name", ["tf_model.h5", "flax_model.msgpack", "model_state.pdparams"])
def test_weights_of_other_frameworks_are_named(tmp_path, name):
    (release(tmp_path) / "model.safetensors").rename(tmp_path / name)
    assert f"has '{name}', which is not read here" in refusal(tmp_path)


def test_the_folder_above_is_told_where_to_go(tmp_path):
    folder = release(tmp_path / "chinese_L-12", "tensorflow")
    assert f"Did you mean the folder {folder}?" in refusal(tmp_path)


def test_an_archive_is_to_be_unpacked(tmp_path):
    (tmp_path / "release.zip").write_bytes(b"PK")
    assert "but the archive release.zip. Unpack it there." in refusal(tmp_path)
    release(tmp_path)
    assert (
        refusal(tmp_path / "release.zip") == f"{tmp_path / 'release.zip'}: an archive. Unpack it and name the folder."
    )


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    assert refusal(tmp_path / "a" / "b").endswith(
        "no such file or folder. Expected the folder of a checkpoint, unpacked."
    )
    assert "no such file, nor none.ckpt.index." in refusal(release(tmp_path) / "none.ckpt")
    assert "not weights" in refusal(tmp_path / "vocab.txt")
    (tmp_path / "empty").mkdir()
    assert "Found 'an empty folder'" in refusal(tmp_path / "empty")


def test_a_truncated_file_is_an_error(tmp_path):
    file = release(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert "truncated" in refusal(tmp_path)


def test_a_file_without_tensors_is_an_error(tmp_path):
    save_file({}, release(tmp_path) / "model.safetensors")
    assert "holds no tensors" in refusal(tmp_path)


@pytest.mark.parametrize("write", [write_zip, write_stream])
def test_a_pickle_with_code_is_an_error_and_nothing_runs(tmp_path, write):
    folder = release(tmp_path, "torch")
    canary = tmp_path / "canary"
    write(folder / "pytorch_model.bin", {**ARRAYS, "x": Call(Global("os", "system"), f"touch {canary}")})
    assert "asks for 'os.system'" in refusal(folder)
    assert not canary.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.txt", "tokenizer_config.json"])
def test_a_link_out_of_the_folder_is_an_error(tmp_path, name):
    folder = release(tmp_path / "release")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / name).rename(tmp_path / "private")
    (folder / name).symlink_to(tmp_path / "private")
    assert refusal(folder).startswith(f"{folder / name}: a link out of its folder, to {tmp_path / 'private'}.")


def test_a_dangling_link_is_an_error(tmp_path):
    (release(tmp_path) / "model.safetensors").unlink()
    (tmp_path / "model.safetensors").symlink_to("gone")
    assert refusal(tmp_path) == f"{tmp_path / 'model.safetensors'}: no such file."


def test_a_folder_in_the_cache_of_hugging_face_is_read(tmp_path):
    folder = release(tmp_path / "snapshots")
    (tmp_path / "blobs").mkdir()
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(tmp_path / "blobs" / f"{number:040x}")
        file.symlink_to(f"../blobs/{number:040x}")
    assert list(open_checkpoint(folder).tensors) == ["w"]


def test_a_link_to_the_whole_folder_is_followed(tmp_path):
    release(tmp_path / "release")
    (tmp_path / "link").symlink_to("release")
    checkpoint: Any = open_checkpoint(tmp_path / "link")
    assert list(checkpoint.tensors) == ["w"]


def test_files_that_macos_adds_to_archives_are_not_looked_at(tmp_path):
    for name in ("._config.json", "._model.safetensors", "._vocab.txt"):
        (release(tmp_path) / name).write_bytes(b"\x00")
    assert list(open_checkpoint(tmp_path).tensors) == ["w"]
