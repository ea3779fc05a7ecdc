"""The params of LIC2020 event extraction, one model per section of its block in params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from shared.backbones.settings import BackboneSettings, last_layers_field
from shared.settings import Section, rule
from shared.text.settings import TextSettings
from shared.training import settings as training


class DataSettings(Section):
    """How the official files are read, and how arguments are written on tokens."""

    on_bad_line: Literal["error", "skip"] = Field(
        "error", description="error: stop at the first bad line; skip: leave it out and list it in the data report"
    )
    max_length: int = Field(256, ge=8, le=8192, description="tokens of a sentence with [CLS], [SEP]; the rest is cut")
    scheme: Literal["bio", "bio_per_type", "pointer", "global_pointer", "gplinker"] = Field(
        "bio_per_type",
        description="bio_per_type: a label sequence for each event type, which holds no overlaps within it; pointer: "
        "start and end marks for each (event type, role); bio: one label sequence over all of them, as published; "
        "global_pointer: a score for each span and (event type, role); gplinker: that, triggers, and links by which "
        "events of one type come apart",
    )


class ModelSettings(Section):
    """One encoder with a head, whose form data.scheme decides."""

    backbone: BackboneSettings
    last_layers: int = last_layers_field()
    head: Literal["crf", "softmax"] = Field(
        "crf", description="of the bio schemes: crf: labels are judged as a sequence; softmax: each token for itself"
    )
    crf_rate: float = Field(100.0, gt=0, description="how many times further transitions move in a step than weights")
    power: int = Field(
        1, ge=1, le=8, description="of pointer: n of p = sigmoid(x)^n; larger: marks stay rarer at first"
    )
    head_dim: int = Field(
        64,
        ge=2,
        le=1024,
        multiple_of=2,
        description="of global_pointer and gplinker: numbers of a token that tell where spans and links begin and end",
    )


class TrainSettings(training.TrainSettings):
    """How weights are learned."""

    loss: Literal["cross_entropy", "focal", "multilabel_softmax"] = Field(
        "cross_entropy",
        description="cross_entropy: of labels or marks, with a CRF of whole label sequences; focal: what is right "
        "counts little, for pointer and softmax; multilabel_softmax: for pointer, each role's marks above 0 and the "
        "rest below, which the span schemes always have",
    )
    focal_gamma: float = Field(2.0, ge=1, description="focal: power of 1 - p, p the probability of what is right")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="cross_entropy with softmax: share of the target spread over a type's labels"
    )


class EvaluateSettings(Section):
    """What the scores are compared with."""

    baseline_rows: int = Field(50000, ge=100, description="the trivial baselines learn from at most this many rows")


class PredictSettings(Section):
    """How scores of tokens become arguments."""

    arguments: Literal["complete", "original"] = Field(
        "complete",
        description="complete: every argument found; original: each text fills one role of a sentence only, that of "
        "its last mention, as in the published baseline",
    )
    threshold: float = Field(0.4, gt=0, lt=1, description="an argument counts from this confidence on, 0 to 1")
    link_threshold: float = Field(
        0.5, gt=0, lt=1, description="of gplinker: two arguments may share an event from this probability on, 0 to 1"
    )
    require_trigger: bool = Field(
        False, description="of gplinker: leave out events without a trigger, as published for submissions"
    )


class Settings(Section):
    """The block `lic2020_ee` of params.yaml."""

    data: DataSettings
    text: TextSettings
    model: ModelSettings
    train: TrainSettings
    hardware: training.HardwareSettings
    evaluate: EvaluateSettings
    predict: PredictSettings

    @model_validator(mode="after")
    def _length_fits_positions(self) -> "Settings":
        self.model.backbone.require_length(self.data.max_length, f"data.max_length={self.data.max_length}")
        return self

    @rule
    def _head_fits_the_scheme(self) -> None:
        scheme, model = self.data.scheme, self.model
        if model.head == "softmax" and not scheme.startswith("bio"):
            raise ValueError(
                f"model.head: softmax is a head of the bio schemes, and data.scheme is {scheme}; set model.head: crf, "
                "which has no effect there, or data.scheme: bio_per_type"
            )
        if model.power > 1 and scheme != "pointer":
            raise ValueError(
                f"model.power={model.power} is for data.scheme: pointer, which is {scheme}; set power: 1, or the scheme"
            )

    @rule
    def _tricks_fit_together(self) -> None:
        scheme, model, train = self.data.scheme, self.model, self.train
        model.backbone.require_layers(model.last_layers, f"model.last_layers={model.last_layers}")
        train.tricks.require_dropout(model.backbone)
        softmax = scheme.startswith("bio") and model.head == "softmax"
        if train.loss == "focal" and not softmax and scheme != "pointer":
            raise ValueError(
                f"train.loss: focal judges tokens one by one; data.scheme: {scheme} with model.head: {model.head} does "
                "not; set data.scheme: pointer, or a bio scheme with model.head: softmax"
            )
        if train.loss == "multilabel_softmax" and (scheme != "pointer" or model.power > 1):
            raise ValueError(
                f"train.loss: multilabel_softmax needs data.scheme: pointer and model.power: 1, got {scheme} and "
                f"{model.power}; the span schemes have this loss with train.loss: cross_entropy"
            )
        if train.label_smoothing and not (softmax and train.loss == "cross_entropy"):
            raise ValueError(
                f"train.label_smoothing={train.label_smoothing} needs a bio scheme with model.head: softmax and "
                "train.loss: cross_entropy; set it to 0, or these"
            )
