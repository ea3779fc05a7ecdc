"""The folder `data/prepared/<name>/`: what `prepare` writes and all later stages read."""

from pathlib import Path

from shared.arrays import Split
from shared.files import new_folder, read_json, write_json
from shared.task import Prepared
from shared.text.vocabulary import Vocabulary

VOCABULARY, LABELS = "vocab.txt", "labels.json"


def save_prepared(folder: Path, prepared: Prepared) -> None:
    """Writes the folder whole or not at all: one `.safetensors` a split, `vocab.txt`, `labels.json`."""
    with new_folder(folder) as new:
        for name, split in prepared.splits.items():
            split.save(new / f"{name}.safetensors")
        prepared.vocabulary.save(new / VOCABULARY)
        write_json(new / LABELS, prepared.labels)


def load_split(folder: Path, name: str) -> Split:
    """Returns one split. Raises: UserError if it is absent or damaged."""
    return Split.load(folder / f"{name}.safetensors")


def load_vocabulary(folder: Path) -> Vocabulary:
    """Returns the vocabulary that the splits are encoded with."""
    return Vocabulary.load(folder / VOCABULARY)


def load_labels(folder: Path) -> dict:
    """Returns the label schema."""
    return read_json(folder / LABELS)
