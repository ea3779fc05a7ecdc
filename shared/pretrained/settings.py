"""Settings in which the checkpoint that they name has told its architecture and its vocabulary."""

from pathlib import Path
from typing import TypeVar

from shared.errors import UserError
from shared.pretrained.checkpoint import open_checkpoint
from shared.pretrained.config import architecture_of
from shared.settings import Section, settings_from_dict
from shared.text.vocabulary import Vocabulary

SettingsT = TypeVar("SettingsT", bound=Section)


def with_checkpoint(settings: SettingsT) -> SettingsT:
    """Returns the settings with `model.backbone.architecture` and `text.vocabulary` as `model.backbone.pretrained` has
    them; unchanged where it names none.

    Raises: UserError if the checkpoint is damaged, of another kind than `kind` says, without vocabulary where none is
    given, if its vocabulary has another number of tokens than its embedding, or if sequences do not fit its positions.
    """
    model, text = getattr(settings, "model"), getattr(settings, "text")  # noqa: B009 - every competition has these
    backbone = model.backbone
    if not backbone.pretrained:
        return settings
    if backbone.architecture:
        raise UserError(
            "params.yaml: model.backbone has both pretrained and architecture; the checkpoint has an architecture of "
            "its own. Leave out one of them."
        )
    checkpoint = open_checkpoint(Path(backbone.pretrained))
    architecture, rows = architecture_of(checkpoint, None if backbone.kind == "auto" else backbone.kind)
    vocabulary = _vocabulary_file(text.vocabulary, checkpoint.vocabulary_file, backbone.pretrained)
    size = len(Vocabulary.load(vocabulary))
    if size != rows:
        raise UserError(
            f"{vocabulary}: {size} tokens, but the embedding in {backbone.pretrained} has {rows} rows. The vocabulary "
            "belongs to another checkpoint, or one of the files is damaged."
        )
    document = settings.model_dump(mode="json")
    document["model"]["backbone"]["architecture"] = architecture.model_dump(mode="json")
    document["text"]["vocabulary"] = vocabulary.as_posix()
    return settings_from_dict(type(settings), document, f"params.yaml, with {backbone.pretrained}")


def _vocabulary_file(given: str | None, own: Path | None, folder: str) -> Path:
    """Returns the vocabulary to read: the one that the settings name, else the checkpoint's own."""
    if given:
        return Path(given)
    if own is None:
        raise UserError(f"{folder}: no vocab.txt. Put the checkpoint's own there, or name it in text.vocabulary.")
    return own
