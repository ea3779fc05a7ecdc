from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from shared.errors import UserError
from shared.pretrained.tensorflow_files import read_tensorflow


def write(prefix: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Writes what tf.compat.v1.train.Saver does."""
    import tensorflow as tf

    tensors = [tf.constant(array) for array in arrays.values()]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(arrays), shape_and_slices=[""] * len(arrays), tensors=tensors
    )
    return prefix


def refusal(prefix: Path) -> str:
    with pytest.raises(UserError) as caught:
        [tensor.read() for tensor in read_tensorflow(prefix).values()]
    message = str(caught.value)
    assert message.startswith(str(prefix.parent))
    assert "\n" not in message
    return message


@pytest.fixture
def prefix(tmp_path):
    return write(tmp_path / "bert_model.ckpt", {"bert/a": np.ones((30, 4), np.float32), "bert/b": np.arange(5)})


def test_tensors_come_back_with_their_dtypes(tmp_path, rng):
    arrays = {
        "bert/embeddings/word_embeddings": rng.normal(size=(3, 4)).astype(np.float32),
        "bert/embeddings/word_embeddings/adam_m": rng.normal(size=(3, 4)).astype(np.float16),
        "bfloat16": np.array([1.5, 2.0], ml_dtypes.bfloat16),
        "global_step": np.array(7, np.int64),
        "empty": np.zeros((0, 2), np.float32),
        "flags": np.array([True, False]),
    }
    tensors = read_tensorflow(write(tmp_path / "model.ckpt-7", arrays))
    assert list(tensors) == sorted(arrays)
    for name, array in arrays.items():
        found = tensors[name].read()
        assert (tensors[name].shape, tensors[name].dtype, found.dtype) == (array.shape, array.dtype.name, array.dtype)
        np.testing.assert_array_equal(found, array)


def test_each_read_is_a_fresh_array(prefix):
    tensor = read_tensorflow(prefix)["bert/b"]
    tensor.read()[:] = 9
    np.testing.assert_array_equal(tensor.read(), np.arange(5))


def test_what_saver_writes_is_read(tmp_path):
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        parts = tf.compat.v1.fixed_size_partitioner(2)  # saved as two slices of one tensor
        variable = tf.compat.v1.get_variable(
            "w", (4, 3), initializer=tf.compat.v1.ones_initializer(), partitioner=parts
        )
        session.run(
            variable.initializer if hasattr(variable, "initializer") else [part.initializer for part in variable]
        )
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    tensors = read_tensorflow(tmp_path / "model.ckpt")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {"w": (4, 3)}
    np.testing.assert_array_equal(tensors["w"].read(), np.ones((4, 3)))


def test_the_object_graph_of_tensorflow_2_is_left_out(tmp_path):
    import tensorflow as tf

    path = tf.train.Checkpoint(w=tf.Variable([1.0, 2.0])).write(str(tmp_path / "model"))
    tensors = read_tensorflow(Path(path))
    assert "_CHECKPOINTABLE_OBJECT_GRAPH" not in tensors
    np.testing.assert_array_equal(tensors["w/.ATTRIBUTES/VARIABLE_VALUE"].read(), [1, 2])


def test_text_in_a_checkpoint_is_refused(tmp_path):
    assert "'words' has the dtype string" in refusal(write(tmp_path / "model.ckpt", {"words": np.array([b"a"])}))


def test_the_file_that_names_the_latest_checkpoint_is_not_followed(prefix, tmp_path):
    elsewhere = write(tmp_path / "other.ckpt", {"evil": np.zeros(1, np.float32)})
    (tmp_path / "checkpoint").write_text(
        f'model_checkpoint_path: "{elsewhere}"\nall_model_checkpoint_paths: "/etc/x"\n'
    )
    assert set(read_tensorflow(prefix)) == {"bert/a", "bert/b"}
    prefix.mkdir()  # TensorFlow would look for `checkpoint` in it
    (prefix / "checkpoint").write_text(f'model_checkpoint_path: "{elsewhere}"\n')
    assert "a folder has the name of the checkpoint beside it" in refusal(prefix)


def test_a_truncated_index_is_refused_wherever_it_ends(prefix):
    index = prefix.with_name("bert_model.ckpt.index")
    content = index.read_bytes()
    for end in range(0, len(content), 7):
        index.write_bytes(content[:end])
        refusal(prefix)
    index.write_bytes(content[:-1])
    assert "truncated or damaged" in refusal(prefix)


def test_a_damaged_index_is_refused(prefix):
    index = prefix.with_name("bert_model.ckpt.index")
    index.write_bytes(index.read_bytes().replace(b"bert/", b"best/"))
    assert "truncated or damaged" in refusal(prefix)


def test_truncated_data_are_refused_before_they_are_read(prefix):
    data = prefix.with_name("bert_model.ckpt.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(UserError) as caught:
        read_tensorflow(prefix)
    assert str(caught.value) == (
        f"{prefix}: truncated: its tensors take 520 bytes, its data files have 519. Download them again."
    )


def test_data_that_are_truncated_after_opening_are_refused(prefix):
    tensor = read_tensorflow(prefix)["bert/a"]
    data = prefix.with_name("bert_model.ckpt.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(UserError, match="'bert/a': truncated or damaged"):
        tensor.read()


def test_damaged_data_are_found_by_their_checksums(prefix):
    data = prefix.with_name("bert_model.ckpt.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[3] ^= 1
    data.write_bytes(content)
    assert "'bert/a': truncated or damaged" in refusal(prefix)


def test_missing_data_files_are_named(prefix):
    data = prefix.with_name("bert_model.ckpt.data-00000-of-00001")
    data.rename(prefix.with_name("bert_model.ckpt.data-00001-of-00002"))
    assert "1 of its 2 data files are missing: bert_model.ckpt.data-00000-of-00002" in refusal(prefix)
    prefix.with_name("bert_model.ckpt.data-00001-of-00002").unlink()
    assert "found 'none', expected bert_model.ckpt.data-00000-of-00001" in refusal(prefix)


def test_data_files_of_two_checkpoints_are_refused(prefix):
    prefix.with_name("bert_model.ckpt.data-00000-of-00002").write_bytes(b"x")
    assert "are missing or of two checkpoints" in refusal(prefix)


def test_a_data_file_of_another_number_is_refused(prefix):
    data = prefix.with_name("bert_model.ckpt.data-00000-of-00001")
    for number in range(2):
        prefix.with_name(f"bert_model.ckpt.data-0000{number}-of-00002").write_bytes(data.read_bytes())
    data.unlink()
    assert "truncated or damaged" in refusal(prefix)


def test_pointers_of_git_lfs_are_refused(prefix):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    for name in ("bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index"):
        prefix.with_name(name).write_bytes(pointer)
        assert f"{name}: a Git LFS pointer of 64 bytes" in refusal(prefix)


def test_links_out_of_the_folder_are_refused(prefix, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001"):
        (folder / name).symlink_to(tmp_path / name)
        assert "a link out of its folder" in refusal(folder / "bert_model.ckpt")
        (folder / name).unlink()
        (folder / name).write_bytes((tmp_path / name).read_bytes())
    assert len(read_tensorflow(folder / "bert_model.ckpt")) == 2


def test_a_missing_checkpoint_is_named(tmp_path):
    assert refusal(tmp_path / "none.ckpt") == f"{tmp_path / 'none.ckpt.index'}: no such file."


@pytest.mark.parametrize("folder", ["a[b]", "a*"])
def test_a_path_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path, folder):
    (tmp_path / folder).mkdir()
    path = write(tmp_path / folder / "model.ckpt", {"w": np.ones(2, np.float32)})
    assert "TensorFlow takes * ? [ ] in a path for a pattern" in refusal(path)
