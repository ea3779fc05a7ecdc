"""The network of a run, with the weights that it starts from."""

from pathlib import Path
from typing import Any

import keras

from shared.pretrained.audit import Audit
from shared.pretrained.checkpoint import open_checkpoint
from shared.pretrained.load import load_backbone
from shared.task import Labels, Task
from shared.text.vocabulary import Vocabulary
from shared.training.hardware import Hardware


def network_of(
    task: Task, settings: Any, vocabulary: Vocabulary, labels: Labels, machine: Hardware
) -> tuple[keras.Model, Audit | None]:
    """Returns the network, and the audit of its pretrained weights; None: they are all from scratch.

    Args: settings: the competition's, see `with_checkpoint`. machine: as made by `configure`.
    Raises: UserError if the checkpoint does not fit.
    """
    with machine.distribution.scope():
        network = task.build(settings, vocabulary, labels)
    backbone = settings.model.backbone
    if not backbone.pretrained:
        return network, None
    layer, checkpoint = network.get_layer("backbone"), open_checkpoint(Path(backbone.pretrained))
    return network, load_backbone(layer, checkpoint, backbone.architecture, ignore=backbone.ignore_tensors)
