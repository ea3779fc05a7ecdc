"""Published weights into our layers, one tensor at a time."""

import contextlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shared.backbones.architecture import Architecture
from shared.backbones.backbone import Backbone
from shared.errors import UserError
from shared.pretrained.audit import Audit, audit
from shared.pretrained.checkpoint import Checkpoint, open_checkpoint
from shared.pretrained.config import architecture_of
from shared.pretrained.encoder import BACKBONE, MLM_HEAD, POOLER, Encoder, build_encoder
from shared.pretrained.names import Entry
from shared.pretrained.tensors import Tensor, brief
from shared.text.vocabulary import Vocabulary

Source = tuple[Entry, tuple[Tensor, ...]]
CONDITION = ("gamma_kernel", "beta_kernel")  # of normalizations that follow a condition; zero at the start


def load_backbone(
    layer: Backbone, checkpoint: Checkpoint, architecture: Architecture | None = None, ignore: Sequence[str] = ()
) -> Audit:
    """Fills a built backbone with the weights of a checkpoint; heads in it are left out.

    Args: architecture: as `architecture_of` has read it; must be the layer's. ignore: as in `audit`.
    Returns: the audit, in which nothing is missing or unexpected.
    Raises: UserError as `audit` and `Audit.require`, or if a tensor holds NaN or infinity. ValueError if the layer is
        not built, or is of another architecture.
    """
    if not layer.built:
        raise ValueError(f"{layer.name} has no weights yet; call or build it first.")
    if architecture is not None and architecture != layer.architecture:
        raise ValueError(f"{layer.name} is {layer.architecture}, the checkpoint {architecture}.")
    found = audit(checkpoint, layer.architecture, layer.vocabulary_size, {"backbone"}, ignore).require()
    _fill(weights_of([layer]), found.sources)
    return found


def load_encoder(
    path: Path | str, kind: str | None = None, ignore: Sequence[str] = (), checksum: bool = True
) -> Encoder:
    """Returns the encoder of a checkpoint, with the pooler and masked language model head that it has.

    Args: path, kind, ignore, checksum: as in `open_checkpoint`, `architecture_of` and `audit`.
    Raises: UserError as those, if tensors are missing or unexpected, or if the vocabulary has another size.
    """
    checkpoint = open_checkpoint(path)
    architecture, vocabulary_size = architecture_of(checkpoint, kind)
    require_vocabulary(checkpoint, vocabulary_size)
    found = audit(checkpoint, architecture, vocabulary_size, ignore=ignore, checksum=checksum).require()
    with _read_at_birth(found.sources) as born:
        model = build_encoder(
            architecture, vocabulary_size, pooler=found.pooler == "present", mlm=found.mlm_head == "present"
        )
    _fill(weights_of(model.layers), found.sources, born)
    return Encoder(model, architecture, vocabulary_size, checkpoint.vocabulary_file, checkpoint.tokenizer, found)


def require_vocabulary(checkpoint: Checkpoint, vocabulary_size: int) -> None:
    """Raises: UserError if the checkpoint has a vocabulary and its tokens are not as many as the embedding's rows."""
    if checkpoint.vocabulary_file is None:
        return
    tokens = len(Vocabulary.load(checkpoint.vocabulary_file))
    if tokens != vocabulary_size:
        raise UserError(
            f"{checkpoint.vocabulary_file}: {tokens} tokens, but the embedding has {vocabulary_size} rows. The "
            "vocabulary belongs to another checkpoint, or one of the files is damaged."
        )


def weights_of(layers: Iterable[Any]) -> dict[str, Any]:
    """Returns the weights of a backbone and its heads by the paths of `Entry.ours`; of other layers none."""
    found = {}
    for layer in layers:
        start = {POOLER: "pooler/", MLM_HEAD: "mlm_head/"}.get(layer.name, "")
        if start or layer.name == BACKBONE or isinstance(layer, Backbone):
            for weight in layer.weights:
                found[start + weight.path.removeprefix(f"{layer.path}/")] = weight
    return found


@contextlib.contextmanager
def _read_at_birth(sources: Sequence[Source]) -> Iterator[set[str]]:
    """Weights of encoders that are built meanwhile begin with the values of their tensors instead of drawn ones.

    To draw 100 million normal numbers takes longer than to read them, and each would be in memory beside what replaces
    it. Yields: the paths of those that were met, as in `Entry.ours`.
    """
    born: set[str] = set()
    waiting = {_full_path(source[0].ours): source for source in sources}
    original = keras.layers.Layer.add_weight

    def add_weight(layer: Any, *args: Any, **kwargs: Any) -> Any:
        source = waiting.get(f"{layer.path}/{kwargs.get('name')}")
        if source:
            kwargs["initializer"] = lambda shape, dtype=None: joined(*source)
            born.add(source[0].ours)
        return original(layer, *args, **kwargs)

    keras.layers.Layer.add_weight = add_weight
    try:
        yield born
    finally:
        keras.layers.Layer.add_weight = original


def _full_path(ours: str) -> str:
    return ours if ours.startswith((f"{POOLER}/", f"{MLM_HEAD}/")) else f"{BACKBONE}/{ours}"


def _fill(weights: dict[str, Any], sources: Sequence[Source], born: Collection[str] = ()) -> None:
    """Assigns every weight that was not born with its value.

    Raises: RuntimeError, which is our defect, if a weight would keep the value that its layer gave it.
    """
    left = {path for path in weights if not path.endswith(CONDITION)} ^ {entry.ours for entry, _ in sources}
    if left:
        raise RuntimeError(f"weights and names of tensors differ: {sorted(left)}")
    for entry, tensors in sources:
        if entry.ours not in born:
            weights[entry.ours].assign(joined(entry, tensors))


def joined(entry: Entry, tensors: Sequence[Tensor]) -> np.ndarray:
    """Returns the value of a weight, float32, made of its tensors; of several only one is in memory beside the result.

    Raises: UserError if a tensor holds NaN, infinity, or a number that float32 has not.
    """
    if len(tensors) == 1:
        return _read(tensors[0], entry.transpose)
    value = np.empty(entry.shape, "float32")
    width = entry.shape[-1] // len(tensors)
    for index, tensor in enumerate(tensors):
        value[..., index * width : (index + 1) * width] = _read(tensor, entry.transpose)
    return value


def _read(tensor: Tensor, transpose: bool) -> np.ndarray:
    with np.errstate(over="ignore"):  # of float64; seen below
        value = tensor.read().astype("float32", copy=False)
    if not np.isfinite(value).all():
        raise UserError(
            f"{tensor.file}: {brief(tensor.name)} holds NaN or infinity. The file is damaged, or the training of the "
            "model had failed; take another copy."
        )
    return value.T if transpose else value
