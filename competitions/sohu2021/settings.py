"""The params of Sohu 2021, one model per section of its block in params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from shared.backbones.settings import BackboneSettings, last_layers_field
from shared.settings import Section, rule
from shared.text.settings import TextSettings
from shared.training import settings as training

COUPLED = ("ghm", "soft_f1")  # losses of a batch that are not the sum over its parts


class DataSettings(Section):
    """How the official files are read."""

    on_bad_line: Literal["error", "skip"] = Field(
        "error", description="error: stop at the first bad line; skip: leave it out and list it in the data report"
    )
    extra_files: bool = Field(True, description="also read the second round's train_*.txt and valid_*.txt, if present")
    max_length: int = Field(ge=16, le=8192, description="tokens of a packed pair; the longer text is trimmed")
    trim: Literal["longest", "head_tail", "tfidf"] = Field(
        "longest",
        description="what a text too long keeps: longest: its start; head_tail: start and end; tfidf: the sentences "
        "most like the other text",
    )
    tail_share: float = Field(0.25, ge=0, le=1, description="of what head_tail keeps, the share taken from the end")


class ModelSettings(Section):
    """One encoder for six subtasks."""

    backbone: BackboneSettings
    condition: Literal["cln", "token", "none"] = Field(
        description="how the encoder learns the subtask: cln: its embedding conditions every layer normalization; "
        "token: an extra token behind [CLS]; none: not at all"
    )
    condition_dim: int = Field(128, ge=1, description="size of the subtask embedding of cln")
    pooling: Literal["mean", "cls", "attention"] = Field(
        "mean", description="mean over the real tokens, the vector at [CLS], or a mean with learned weights"
    )
    last_layers: int = last_layers_field()
    dropout_samples: int = Field(
        1, ge=1, description="dropout masks of the pooled vector, over which the loss is averaged; 1: off"
    )
    exact_match: bool = Field(True, description="embed for each token how long a run of it the other text also has")


class TrainSettings(training.TrainSettings):
    """How weights are learned."""

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over both labels")
    loss: Literal["cross_entropy", "focal", "ghm", "class_balanced", "soft_f1", "policy_gradient"] = Field(
        "cross_entropy", description="what is made small; each is explained in docs/tricks.md"
    )
    focal_gamma: float = Field(2.0, ge=1, description="focal: power of 1 - p, p the probability of the label")
    ghm_bins: int = Field(10, ge=1, description="ghm: bins of the gradient norm, from 0 to 1")
    balance_beta: float = Field(
        0.999, ge=0, lt=1, description="class_balanced: 0 weighs labels alike, near 1 by their inverse frequency"
    )
    metric_share: float = Field(
        1.0, gt=0, le=1, description="soft_f1, policy_gradient: their share of the loss; the rest is cross-entropy"
    )
    policy_reward: Literal["accuracy", "f1"] = Field("f1", description="policy_gradient: the measure that is expected")
    policy_f1: float = Field(
        0.7, gt=0, le=1, description="policy_gradient with reward f1: the F1 that is expected to be reached"
    )
    auxiliary_weight: float = Field(
        0.0, ge=0, description="of a second loss, by which the pooled vector has to tell the subtask; 0: off"
    )
    swap: Literal["none", "half", "both"] = Field(
        "none",
        description="source and target change places: half: of each pair with chance 1/2 an epoch; both: every pair is "
        "learned both ways",
    )
    implied_labels: bool = Field(
        False, description="also learn what follows: a B match is an A match, and what is no A match is no B match"
    )

    @model_validator(mode="after")
    def _parts_fit_the_loss(self) -> "TrainSettings":
        smooth = self.loss in ("cross_entropy", "class_balanced") or self.metric_share < 1
        if self.label_smoothing and (not smooth or self.loss in ("focal", "ghm")):
            raise ValueError(
                f"label_smoothing={self.label_smoothing} has no meaning with loss: {self.loss}; set it to 0, or take "
                "loss: cross_entropy or class_balanced"
            )
        if self.loss in COUPLED and self.accumulate > 1:
            raise ValueError(
                f"loss: {self.loss} counts over all rows of a step and cannot be added up over accumulate="
                f"{self.accumulate} parts; set accumulate: 1 and a larger batch_size, or take another loss"
            )
        return self


class EvaluateSettings(Section):
    """What the scores are compared with."""

    baseline_rows: int = Field(50000, ge=100, description="the trivial baselines learn from at most this many pairs")


class PredictSettings(Section):
    """How probabilities become labels."""

    threshold_a: float = Field(0.35, gt=0, lt=1, description="label 1 in A subtasks from this probability on")
    threshold_b: float = Field(0.35, gt=0, lt=1, description="label 1 in B subtasks from this probability on")
    can: bool = Field(False, description="correct uncertain probabilities by the share of label 1 (CAN)")
    can_prior_a: float = Field(0.3, gt=0, lt=1, description="can: the share of label 1 in A subtasks")
    can_prior_b: float = Field(0.13, gt=0, lt=1, description="can: the share of label 1 in B subtasks")
    can_threshold: float = Field(0.9, ge=0, le=1, description="can: rows are uncertain above this entropy, of 0 to 1")
    can_iterations: int = Field(1, ge=1, le=100, description="can: how often columns and rows are normalized")
    can_alpha: float = Field(1.0, gt=0, description="can: power of the probabilities before each normalization")
    implied_labels: bool = Field(
        False, description="where a pair stands in A and in B, B 1 with A 0 is not answered: the surer of both decides"
    )


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

    @rule
    def _tricks_fit_together(self) -> None:
        model, train = self.model, self.train
        model.backbone.require_layers(model.last_layers, f"model.last_layers={model.last_layers}")
        train.tricks.require_dropout(model.backbone)
        if model.dropout_samples > 1 and not model.backbone.dropout:
            raise ValueError(
                f"model.dropout_samples={model.dropout_samples} without dropout are all the same; raise "
                "model.backbone.dropout above 0, or set dropout_samples: 1"
            )
        if train.auxiliary_weight and model.condition == "cln":
            raise ValueError(
                f"train.auxiliary_weight={train.auxiliary_weight} asks for the subtask, which model.condition: cln "
                "writes into every normalization, so that there is nothing to learn; set condition: none or token, or "
                "auxiliary_weight: 0"
            )
        if train.loss in COUPLED and self.hardware.strategy != "single":
            raise ValueError(
                f"train.loss: {train.loss} counts over all rows of a step, which hardware.strategy: "
                f"{self.hardware.strategy} divides among devices; set strategy: single, or take another loss"
            )
