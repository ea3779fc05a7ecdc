"""A trained model as a folder that needs nothing else: weights, settings, vocabulary, label schema, provenance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from shared.errors import UserError
from shared.files import new_folder, read_json, write_json
from shared.prepared import load_labels, load_vocabulary
from shared.settings import VERSION, Section, settings_from_dict
from shared.task import Task
from shared.text.vocabulary import Vocabulary
from shared.training.hardware import configured
from shared.training.weights import load_weights, save_weights

WEIGHTS, SETTINGS, VOCABULARY = "weights.safetensors", "settings.json", "vocab.txt"
LABELS, PROVENANCE = "labels.json", "provenance.json"


@dataclass(frozen=True)
class TrainedModel:
    """A loaded model folder."""

    network: keras.Model
    settings: Any
    vocabulary: Vocabulary
    labels: dict[str, Any]
    provenance: dict[str, Any]


def save_model(
    folder: Path,
    network: keras.Model,
    task: Task,
    settings: Section,
    vocabulary: Vocabulary,
    labels: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Writes the folder whole or not at all."""
    with new_folder(folder) as new:
        save_weights(network, new / WEIGHTS)
        document = {"version": VERSION, "competition": task.name, "settings": settings.model_dump(mode="json")}
        write_json(new / SETTINGS, document)
        vocabulary.save(new / VOCABULARY)
        write_json(new / LABELS, labels)
        write_json(new / PROVENANCE, provenance)


def load_model(folder: Path, task: Task) -> TrainedModel:
    """Builds the network of a model folder and fills in its weights; no training data is needed.

    Raises: UserError if the folder is absent, of another competition, of another version, incomplete or damaged.
    """
    settings = saved_settings(folder, task)
    vocabulary = Vocabulary.load(folder / VOCABULARY)
    labels = read_json(folder / LABELS)
    with configured().distribution.scope():
        network = task.build(settings, vocabulary, labels)
    load_weights(network, folder / WEIGHTS)
    return TrainedModel(network, settings, vocabulary, labels, read_json(folder / PROVENANCE))


def require_same_encoding(model: TrainedModel, prepared: Path) -> None:
    """Raises: UserError if the arrays below `prepared` were made with other tokens or labels than the model's."""
    for what, same in (
        ("vocabulary: their ids mean other tokens", model.vocabulary.tokens == load_vocabulary(prepared).tokens),
        ("label schema: their labels mean other things", model.labels == load_labels(prepared)),
    ):
        if not same:
            raise UserError(
                f"{prepared}: encoded with another {what} than the model's. Run the train stage again, or prepare with "
                "the data and the `data` and `text` settings the model was trained on."
            )


def saved_settings(folder: Path, task: Task) -> Any:
    """Returns the settings a model was trained with. Raises: UserError, as `load_model`."""
    path = folder / SETTINGS
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Run the train stage first: dvc repro train@{task.name}")
    document = read_json(path)
    if not isinstance(document, dict) or not {"version", "competition", "settings"} <= set(document):
        raise UserError(f"{path}: not the settings of a trained model. Run the train stage again.")
    if document["competition"] != task.name:
        raise UserError(f"{path}: a model of {document['competition']!r}, but {task.name!r} was asked for.")
    if document["version"] != VERSION:
        raise UserError(
            f"{path}: settings of version {document['version']}, this kit reads version {VERSION}. Train again, or use "
            "the kit that wrote them; CHANGELOG.md lists the versions."
        )
    return settings_from_dict(task.settings, document["settings"], str(path), trained=True)
