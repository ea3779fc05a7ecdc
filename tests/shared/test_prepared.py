import numpy as np
import pytest

from shared.arrays import Ragged, Split
from shared.errors import UserError
from shared.prepared import load_labels, load_split, load_vocabulary, save_prepared
from shared.task import Prepared
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary


def prepared(**splits: Split) -> Prepared:
    train = Split({"token_ids": Ragged.of([[1, 2], [3]], np.uint16), "label": np.array([0, 1])})
    return Prepared({"train": train} | splits, Vocabulary([*SPECIAL_TOKENS, "今"]), {"labels": ["0", "是"]})


def test_what_is_saved_is_loaded(tmp_path):
    folder = tmp_path / "prepared" / "toy"
    save_prepared(folder, prepared())
    assert load_split(folder, "train").ragged("token_ids").values.tolist() == [1, 2, 3]
    assert load_vocabulary(folder).tokens[5:] == ["今"]
    assert load_labels(folder) == {"labels": ["0", "是"]}


def test_nothing_of_an_older_folder_stays(tmp_path):
    save_prepared(tmp_path / "toy", prepared(extra=Split({})))
    save_prepared(tmp_path / "toy", prepared())
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == [
        "labels.json",
        "train.safetensors",
        "vocab.txt",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_an_error_on_the_way_leaves_the_old_folder(tmp_path, monkeypatch):
    save_prepared(tmp_path / "toy", prepared())
    before = {path.name: path.read_bytes() for path in (tmp_path / "toy").iterdir()}
    broken = prepared()
    monkeypatch.setattr(Vocabulary, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UserError, match="No space left on device"):
        save_prepared(tmp_path / "toy", broken)
    assert {path.name: path.read_bytes() for path in (tmp_path / "toy").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_an_absent_split_says_which_stage_writes_it(tmp_path):
    with pytest.raises(UserError, match=r"toy/valid.safetensors: no such file. Run the prepare stage first"):
        load_split(tmp_path / "toy", "valid")
