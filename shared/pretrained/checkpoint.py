"""The folder of a published checkpoint: which file is what, and whether it is whole."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.files import read_json, sha256_file
from shared.pretrained.folder import Format, find_config, find_vocabulary, find_weights, leftovers
from shared.pretrained.paths import inside
from shared.pretrained.safetensors_files import read_index, read_safetensors, read_sharded
from shared.pretrained.tensorflow_files import read_tensorflow, tensorflow_files
from shared.pretrained.tensors import Tensor, brief, file_size
from shared.pretrained.torch_files import read_torch


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds: the configuration, the tensors by name, and the vocabulary.

    path: the folder. format: of the weights. config: the JSON document of config_file.
    files: all that were read or will be, weights first. vocabulary_file: None if there is none.
    tokenizer: the JSON document tokenizer_config.json, {} if there is none.
    """

    path: Path
    format: Format
    config: dict[str, Any]
    config_file: Path
    tensors: dict[str, Tensor] = field(repr=False)
    files: tuple[Path, ...]
    vocabulary_file: Path | None
    tokenizer: dict[str, Any]


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Finds configuration, weights and vocabulary of a checkpoint and reads all but the numbers.

    Args: path: the folder as it was published; or a file in it where it has several of a kind: the weights, their
        index, a TensorFlow prefix (`bert_model.ckpt`), the configuration.
    Raises: UserError if the folder or a file is missing, half downloaded, damaged, a Git LFS pointer, or a link to
        elsewhere; if there are several files to choose from; if the weights are a pickle with more than tensors.
    """
    path = Path(path)
    folder, chosen = (path, None) if path.is_dir() else (path.parent, path)
    if not folder.is_dir():
        raise UserError(f"{path}: no such file or folder. Expected the folder of a checkpoint, unpacked.")
    is_config = chosen is not None and chosen.suffix == ".json" and not chosen.name.endswith(".index.json")
    config_file = find_config(folder, chosen if is_config else None)
    format_, weights = find_weights(folder, None if is_config else chosen)
    vocabulary_file = find_vocabulary(folder)
    tokenizer_file = folder / "tokenizer_config.json"

    others = [config_file, *([vocabulary_file] if vocabulary_file else [])]
    if tokenizer_file.exists():
        others.append(tokenizer_file)
    for file in others:
        file_size(inside(file, folder))
    files = (*_files(format_, weights), *others)
    for file in files:
        for rest in leftovers(folder, file.name):
            raise UserError(f"{rest}: the download of {file.name} is not complete. Finish it, or remove {rest.name}.")
    return Checkpoint(
        path=folder,
        format=format_,
        config=_document(config_file),
        config_file=config_file,
        tensors=_tensors(format_, weights),
        files=files,
        vocabulary_file=vocabulary_file,
        tokenizer=_document(tokenizer_file) if tokenizer_file in others else {},
    )


def sha256(checkpoint: Checkpoint) -> dict[str, str]:
    """Returns the hexadecimal SHA-256 of each file by its name, to compare with what its publisher tells.

    Reads every byte: about a second for a base-size model.
    """
    return {file.name: sha256_file(file) for file in checkpoint.files}


def _files(format_: Format, weights: Path) -> tuple[Path, ...]:
    if format_ == "tensorflow":
        return tensorflow_files(weights)
    if weights.name.endswith(".index.json"):
        return weights, *dict.fromkeys(read_index(weights).values())
    return (weights,)


def _tensors(format_: Format, weights: Path) -> dict[str, Tensor]:
    if format_ == "tensorflow":
        tensors = read_tensorflow(weights)
    elif weights.name.endswith(".index.json"):
        tensors = read_sharded(weights)
    else:
        tensors = read_safetensors(weights) if format_ == "safetensors" else read_torch(weights)
    if not tensors:
        raise UserError(f"{weights}: holds no tensors. Expected the weights of an encoder.")
    return tensors


def _document(file: Path) -> dict[str, Any]:
    try:
        document = read_json(file)
    except (ValueError, RecursionError) as error:  # integers of thousands of digits; a million brackets
        raise UserError(f"{file}: not JSON: {brief(str(error))}.") from None
    if not isinstance(document, dict):
        raise UserError(f"{file}: holds a {type(document).__name__}. Expected a JSON object.")
    return document
