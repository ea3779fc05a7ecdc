"""Which file of a downloaded folder is the configuration, which the weights, which the vocabulary."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from shared.errors import UserError
from shared.pretrained.paths import inside
from shared.pretrained.tensors import brief, file_size

Format = Literal["safetensors", "torch", "tensorflow"]

# In the order of preference: no code in it and read alone; a pickle; a slow import.
_WEIGHTS: tuple[tuple[Format, tuple[str, ...]], ...] = (
    ("safetensors", ("model.safetensors", "model.safetensors.index.json", "*.safetensors")),
    ("torch", ("pytorch_model.bin", "pytorch_model.bin.index.json", "*.bin", "*.pt", "*.pth")),
    ("tensorflow", ("*.index",)),
)
_NO_WEIGHTS = ("training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scheduler.bin", "rng_state.pth")
_UNREAD = (
    "tf_model.h5",
    "flax_model.msgpack",
    "model_state.pdparams",
    "*.h5",
    "*.msgpack",
    "*.pdparams",
    "*.onnx",
    "*.gguf",
)
_CONFIGS = ("*config*.json", "discriminator.json", "generator.json")  # the latter two: HFL's ELECTRA
_NO_CONFIG = (
    *("tokenizer_config.json", "generation_config.json", "preprocessor_config.json", "adapter_config.json"),
    *("quantize_config.json", "trainer_config.json"),
)
_LEFTOVERS = (".part", ".partial", ".incomplete", ".crdownload", ".aria2", ".download", ".tmp", ".opdownload")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz")


def find_config(folder: Path, chosen: Path | None) -> Path:
    """Returns the configuration: `config.json`, `bert_config.json`, or the only other one of _CONFIGS.

    ELECTRA's releases have one for the discriminator and one for the generator: the discriminator is what is tuned.
    Args: chosen: the file, where the user names it.
    Raises: UserError if there is none or several.
    """
    if chosen is not None:
        return _existing(chosen)
    files = [file for file in _matches(folder, _CONFIGS) if file.name not in _NO_CONFIG]
    for name in ("config.json", "bert_config.json"):
        if folder / name in files:
            return _existing(folder / name)
    if any("discriminator" in file.name for file in files):
        files = [file for file in files if "generator" not in file.name]
    if not files:
        raise UserError(_nothing(folder, "configuration (config.json, bert_config.json or the like)"))
    return _existing(_only(files, folder, "configurations"))


def find_weights(folder: Path, chosen: Path | None) -> tuple[Format, Path]:
    """Returns the format and the file of the weights, for TensorFlow the prefix.

    Args: chosen: the file, or a TensorFlow prefix, where the user names it.
    Raises: UserError if there is none, or several of the preferred format.
    """
    if chosen is not None:
        return _chosen_weights(chosen)
    for format_, patterns in _WEIGHTS:
        for group in (patterns[:1], patterns[1:2], patterns[2:]):
            files = [file for file in _matches(folder, group) if file.name not in _NO_WEIGHTS]
            if files:
                file = _existing(_only(files, folder, f"weights ({format_})"))
                _refuse_part(file)
                return format_, file.with_suffix("") if format_ == "tensorflow" else file
    for file in _matches(folder, ("*.data-*-of-*",)):
        raise UserError(f"{file}: without its .index file. The download is not complete.")
    unread = _matches(folder, _UNREAD)
    if unread:
        raise UserError(
            f"{folder}: has {brief(', '.join(file.name for file in unread))}, which is not read here. Expected "
            "model.safetensors, pytorch_model.bin or a TensorFlow checkpoint; most releases offer one of them too."
        )
    raise UserError(_nothing(folder, "weights (model.safetensors, pytorch_model.bin or NAME.ckpt.index)"))


def find_vocabulary(folder: Path) -> Path | None:
    """Returns `vocab.txt`, or else the only `*vocab*.txt`, or else None. Raises: UserError if there are several."""
    if (folder / "vocab.txt").exists():
        return folder / "vocab.txt"
    files = _matches(folder, ("*vocab*.txt",))
    return (
        _only(files, folder, "vocabularies", "Remove the others, or rename the right one to vocab.txt")
        if files
        else None
    )


def leftovers(folder: Path, name: str = "") -> list[Path]:
    """Returns the files that a download tool leaves until it is done: those of the file `name`, or all of them."""
    return [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in _LEFTOVERS and (not name or file.stem == name or file.stem.startswith(f"{name}."))
    ]


def _chosen_weights(chosen: Path) -> tuple[Format, Path]:
    for rest in leftovers(chosen.parent):
        if rest.name == chosen.name:
            raise UserError(f"{chosen}: an unfinished download. Expected the file that it becomes.")
    if chosen.name.endswith((".safetensors", ".safetensors.index.json")):
        _refuse_part(chosen)
        return "safetensors", _existing(chosen)
    if chosen.name.endswith((".bin", ".bin.index.json", ".pt", ".pth")):
        _refuse_part(chosen)
        return "torch", _existing(chosen)
    name, mark, _ = chosen.name.partition(".data-")
    prefix = (
        chosen.with_name(name) if mark else chosen.with_suffix("") if chosen.suffix in (".index", ".meta") else chosen
    )
    if prefix.with_name(f"{prefix.name}.index").exists():
        return "tensorflow", prefix
    if chosen.suffix in _ARCHIVES:
        raise UserError(f"{chosen}: an archive. Unpack it and name the folder.")
    if chosen.exists():
        raise UserError(f"{chosen}: not weights. Expected .safetensors, .bin, a TensorFlow prefix, or the folder.")
    raise UserError(
        f"{chosen}: no such file, nor {chosen.name}.index. Expected a checkpoint's folder, or weights in it."
    )


def _refuse_part(file: Path) -> None:
    """A shard alone would read as a release without most of its tensors."""
    part = re.search(r"-\d+-of-(\d+)\.[a-z]+$", file.name)
    if part and int(part[1]) > 1:
        raise UserError(
            f"{file}: one of {int(part[1])} parts, without the index of them. The download is not complete."
        )


def _existing(file: Path) -> Path:
    file_size(inside(file, file.parent))
    return file


def _matches(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Hidden files are none of a release: macOS adds `._model.safetensors` to archives."""
    try:
        found = {file for pattern in patterns for file in folder.glob(pattern) if not file.name.startswith(".")}
    except OSError as error:
        raise UserError(f"{folder}: cannot be read: {error.strerror}.") from None
    return sorted(file for file in found if not file.is_dir())


def _only(
    files: list[Path], folder: Path, what: str, advice: str = "Name the one to use instead of the folder"
) -> Path:
    if len(files) > 1:
        raise UserError(f"{folder}: has {len(files)} {what}: {', '.join(file.name for file in files[:8])}. {advice}.")
    return files[0]


def _nothing(folder: Path, what: str) -> str:
    """Says what is missing, with the nearest reason that the folder shows."""
    rests = [*leftovers(folder), *(folder / ".cache" / "huggingface" / "download").glob("*.incomplete")]
    if rests:
        return f"{folder}: no {what}, but an unfinished download: {rests[0].name}. Finish it."
    for child in sorted(folder.iterdir()):
        if child.is_dir() and (_matches(child, _CONFIGS) or _matches(child, ("*.index", "*.safetensors", "*.bin"))):
            return f"{folder}: no {what}. Did you mean the folder {child}?"
        if child.suffix in _ARCHIVES:
            return f"{folder}: no {what}, but the archive {child.name}. Unpack it there."
    found = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "an empty folder"
    return f"{folder}: no {what}. Found {brief(found)}."
