"""The params of Sohu 2021, one model per section of its block in params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from shared.backbones.settings import BackboneSettings
from shared.settings import Section
from shared.text.settings import TextSettings
from shared.training import settings as training


class DataSettings(Section):
    """How the official files are read."""

    on_bad_line: Literal["error", "skip"] = Field(
        "error", description="error: stop at the first bad line; skip: leave it out and list it in the data report"
    )
    extra_files: bool = Field(True, description="also read the second round's train_*.txt and valid_*.txt, if present")
    max_length: int = Field(ge=16, le=8192, description="tokens of a packed pair; the longer text is trimmed")


class ModelSettings(Section):
    """One encoder for six subtasks."""

    backbone: BackboneSettings
    condition: Literal["cln", "token", "none"] = Field(
        description="how the encoder learns the subtask: cln: its embedding conditions every layer normalization; "
        "token: an extra token behind [CLS]; none: not at all"
    )
    condition_dim: int = Field(128, ge=1, description="size of the subtask embedding of cln")
    pooling: Literal["mean", "cls"] = Field("mean", description="mean over the real tokens, or the vector at [CLS]")
    exact_match: bool = Field(True, description="embed for each token how long a run of it the other text also has")


class TrainSettings(training.TrainSettings):
    """How weights are learned."""

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over both labels")


class EvaluateSettings(Section):
    """What the scores are compared with."""

    baseline_rows: int = Field(50000, ge=100, description="the trivial baselines learn from at most this many pairs")


class PredictSettings(Section):
    """How probabilities become labels."""

    threshold_a: float = Field(0.35, gt=0, lt=1, description="label 1 in A subtasks from this probability on")
    threshold_b: float = Field(0.35, gt=0, lt=1, description="label 1 in B subtasks from this probability on")


class Settings(Section):
    """The block `sohu2021` of params.yaml."""

    data: DataSettings
    text: TextSettings
    model: ModelSettings
    train: TrainSettings
    hardware: training.HardwareSettings
    evaluate: EvaluateSettings
    predict: PredictSettings

    @model_validator(mode="after")
    def _length_fits_positions(self) -> "Settings":
        extra = int(self.model.condition == "token")
        self.model.backbone.require_length(self.data.max_length + extra, f"data.max_length={self.data.max_length}")
        return self
