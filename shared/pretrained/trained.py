"""The backbone of a model that this kit trained, as an encoder."""

from pathlib import Path
from typing import Any

from shared.errors import UserError


def is_trained(path: Path) -> bool:
    """Whether a path is a folder models/NAME, and no published checkpoint."""
    return (path / "settings.json").is_file() and (path / "weights.safetensors").is_file()


def load_trained(path: Path, drop_condition: bool = False) -> Any:
    """Returns the `Encoder` of a trained model: its backbone alone, since its heads are of its competition.

    Args: drop_condition: leave out the kernels by which normalizations follow a condition; what they have learned is
        lost then, and hidden states are those of a condition of zeros.
    Raises: UserError if the folder is damaged, or has such kernels and drop_condition is False.
    """
    from shared.files import read_json
    from shared.pretrained.encoder import Encoder, build_encoder
    from shared.pretrained.load import CONDITION
    from shared.task import load_task
    from shared.training.model_folder import SETTINGS, VOCABULARY, load_model

    document = read_json(path / SETTINGS)
    if not isinstance(document, dict) or not isinstance(document.get("competition"), str):
        raise UserError(f"{path / SETTINGS}: not the settings of a trained model. Run the train stage again.")
    trained = load_model(path, load_task(document["competition"]))
    source = trained.network.get_layer("backbone")
    conditional = [weight for weight in source.weights if weight.path.endswith(CONDITION)]
    if conditional and not drop_condition:
        raise UserError(
            f"{path}: its normalizations follow a condition through {len(conditional)} kernels such as "
            f"{conditional[0].path}, which no published architecture has. Add --drop-condition to leave them out; what "
            "they have learned is lost then."
        )
    model = build_encoder(source.architecture, source.vocabulary_size, hierarchical_alpha=source.hierarchical_alpha)
    values = {weight.path.partition("backbone/")[2]: weight for weight in source.weights}
    for weight in model.get_layer("backbone").weights:
        if "seed_generator" not in weight.path:
            weight.assign(values[weight.path.partition("backbone/")[2]])
    return Encoder(
        model,
        source.architecture,
        source.vocabulary_size,
        vocabulary_file=path / VOCABULARY,
        tokenizer={"do_lower_case": trained.settings.text.lowercase},
    )
