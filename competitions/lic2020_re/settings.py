"""The params of LIC2020 relation extraction, one model per section of its block in params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from shared.backbones.settings import BackboneSettings, last_layers_field
from shared.settings import Section, rule
from shared.text.settings import TextSettings
from shared.training import settings as training


class DataSettings(Section):
    """How the official files are read."""

    on_bad_line: Literal["error", "skip"] = Field(
        "error", description="error: stop at the first bad line; skip: leave it out and list it in the data report"
    )
    max_length: int = Field(256, ge=8, le=8192, description="tokens of a sentence with [CLS], [SEP]; the rest is cut")


class ModelSettings(Section):
    """One encoder and what finds the triples: pointers in two steps, or links in one."""

    backbone: BackboneSettings
    last_layers: int = last_layers_field()
    head: Literal["pointer", "gplinker"] = Field(
        "pointer",
        description="pointer: starts and ends of subjects, then those of each subject's objects; gplinker: spans, and "
        "links of their ends for every relation, at once",
    )
    head_dim: int = Field(
        64, ge=2, le=1024, multiple_of=2, description="of gplinker: numbers of a query or key; pointers have none"
    )
    subject_power: int = Field(
        2, ge=1, le=8, description="of pointers: n of p = sigmoid(x)^n of a subject's start or end; 1: plain"
    )
    object_power: int = Field(4, ge=1, le=8, description="of pointers: the same of an object's start or end")


class TrainSettings(training.TrainSettings):
    """How weights are learned."""

    loss: Literal["cross_entropy", "focal", "multilabel_softmax"] = Field(
        "cross_entropy",
        description="of pointers: cross_entropy of each mark; focal: what is right counts little; multilabel_softmax: "
        "each relation's marks above 0 and the rest below, which gplinker always has",
    )
    focal_gamma: float = Field(2.0, ge=1, description="focal: power of 1 - p, p the probability of what is right")

    subjects_per_step: Literal["one", "all"] = Field(
        "all",
        description="of pointers: subjects whose objects a sentence trains on in a step: one drawn one, or all of them",
    )
    subject_sampling: Literal["separate", "paired"] = Field(
        "separate",
        description="of pointers: separate: start and end are drawn apart, so that spans that are no subject train on "
        "having no objects; with subjects_per_step: all, one such draw is added. paired: gold subjects only",
    )
    loss_reduction: Literal["original", "sentence"] = Field(
        "original",
        description="of pointers: original: every token of the batch weighs the same; sentence: every sentence does, "
        "whatever its length and number of subjects",
    )


class EvaluateSettings(Section):
    """What the scores are compared with."""

    baseline_rows: int = Field(50000, ge=100, description="the trivial baselines learn from at most this many rows")


class PredictSettings(Section):
    """How probabilities, or scores of links, become triples."""

    combine: Literal["complete", "original"] = Field(
        "complete",
        description="complete: every @value makes a triple, other slots join the right ones; original: one object per "
        "subject, predicate and slot, the last overwrites the others, as the published baseline does",
    )
    subject_threshold: float = Field(
        0.4, gt=0, lt=1, description="of pointers: a subject starts or ends above this probability"
    )
    object_threshold: float = Field(
        0.4, gt=0, lt=1, description="of pointers: an object starts or ends above this probability"
    )
    span_threshold: float = Field(
        0.0, ge=-50, le=50, description="of gplinker: a span is a subject or an object above this score; 0: p = 1/2"
    )
    link_threshold: float = Field(
        0.0, ge=-50, le=50, description="of gplinker: first tokens, and last ones, are linked above this score"
    )
    most_spans: int = Field(
        64, ge=1, le=1024, description="of gplinker: so many subjects, and objects, of a sentence are paired at most"
    )


class Settings(Section):
    """The block `lic2020_re` of params.yaml."""

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
    def _tricks_fit_together(self) -> None:
        model, train = self.model, self.train
        model.backbone.require_layers(model.last_layers, f"model.last_layers={model.last_layers}")
        train.tricks.require_dropout(model.backbone)
        if train.loss == "multilabel_softmax" and model.head == "pointer":
            if (model.subject_power, model.object_power) != (1, 1):
                raise ValueError(
                    "train.loss: multilabel_softmax has no powers of sigmoids; set model.subject_power: 1 and "
                    f"model.object_power: 1, got {model.subject_power} and {model.object_power}"
                )
            if train.loss_reduction != "original":
                raise ValueError(
                    "train.loss: multilabel_softmax has one loss a sentence and subject; set train.loss_reduction: "
                    f"original, got {train.loss_reduction}"
                )
        if model.head == "gplinker":
            for key in ("loss", "subjects_per_step", "subject_sampling", "loss_reduction"):
                usual = type(train).model_fields[key].default
                if getattr(train, key) != usual:
                    raise ValueError(
                        f"train.{key}: {getattr(train, key)} is for model.head: pointer, and gplinker does not read "
                        f"it; set it to {usual}, or set head: pointer"
                    )
