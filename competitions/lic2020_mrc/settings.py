"""The params of LIC2020 reading comprehension, one model per section of its block in params.yaml."""

from typing import Literal

from pydantic import Field, model_validator

from shared.backbones.settings import BackboneSettings, last_layers_field
from shared.settings import Section, rule
from shared.text.settings import TextSettings
from shared.training import settings as training

NUM_SPECIAL = 3  # [CLS] question [SEP] passage [SEP]


class DataSettings(Section):
    """How the official files are read, passages cut into windows and answers found in them."""

    on_bad_line: Literal["error", "skip"] = Field(
        "error", description="error: stop at the first bad question; skip: leave it out and list it in the data report"
    )
    window: int = Field(512, ge=16, le=8192, description="tokens of a window: [CLS] question [SEP] passage part [SEP]")
    stride: int = Field(
        128,
        ge=0,
        description="passage tokens from the start of a window to that of the next; answers up to about window - "
        "max_question_length - stride tokens lie whole in some window; 0: the first window only",
    )
    max_question_length: int = Field(64, ge=1, description="tokens of a question, the rest is cut")
    label_position: Literal["annotated", "first_match"] = Field(
        "annotated",
        description="where an answer is labelled: annotated: at its answer_start, or its first place if none is given; "
        "first_match: at its first place always",
    )

    @model_validator(mode="after")
    def _windows_cover_passages(self) -> "DataSettings":
        room = self.window - self.max_question_length - NUM_SPECIAL
        if room < max(1, self.stride):
            raise ValueError(
                f"window={self.window} leaves {room} tokens for the passage beside a question of "
                f"max_question_length={self.max_question_length}, so windows {self.stride} tokens apart (stride) leave "
                "gaps; lower stride or max_question_length, or raise window"
            )
        return self


class ModelSettings(Section):
    """One encoder, with a score of each token as first and as last one of the answer."""

    backbone: BackboneSettings
    last_layers: int = last_layers_field()
    exact_match: bool = Field(
        True, description="embed for each token how long a run of it question and passage have in common"
    )


class TrainSettings(training.TrainSettings):
    """How weights are learned; rows are windows here."""

    answer_sampling: Literal["random", "first"] = Field(
        "random", description="which of several golden answers in a window a step trains on"
    )
    loss: Literal["cross_entropy", "focal"] = Field(
        "cross_entropy", description="of the first and of the last token; focal: windows that are right count little"
    )
    focal_gamma: float = Field(2.0, ge=1, description="focal: power of 1 - p, p the probability of the right token")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="cross_entropy: share of the target spread over all tokens that may be chosen"
    )
    no_answer: bool = Field(
        False,
        description="true: windows without an answer are trained on too, towards [CLS], and windows are compared by "
        "how much they prefer a span to it; false: they are left out, and [CLS] is no candidate",
    )


class EvaluateSettings(Section):
    """What the scores are compared with."""

    baseline_rows: int = Field(50000, ge=100, description="the trivial baselines learn from at most this many rows")


class PredictSettings(Section):
    """How scores of tokens become answers."""

    max_answer_length: int = Field(128, ge=1, description="tokens of an answer, at most")
    n_best: int = Field(20, ge=1, description="answers kept for each question, the best first")
    no_answer_threshold: float | None = Field(
        None,
        description="log odds of the best span against no answer, below which the answer is empty; empty: every "
        "question gets an answer. Needs train.no_answer",
    )


class Settings(Section):
    """The block `lic2020_mrc` of params.yaml."""

    data: DataSettings
    text: TextSettings
    model: ModelSettings
    train: TrainSettings
    hardware: training.HardwareSettings
    evaluate: EvaluateSettings
    predict: PredictSettings

    @model_validator(mode="after")
    def _window_fits_positions(self) -> "Settings":
        self.model.backbone.require_length(self.data.window, f"data.window={self.data.window}")
        return self

    @rule
    def _tricks_fit_together(self) -> None:
        self.model.backbone.require_layers(self.model.last_layers, f"model.last_layers={self.model.last_layers}")
        self.train.tricks.require_dropout(self.model.backbone)
        if self.train.label_smoothing and self.train.loss == "focal":
            raise ValueError(
                f"train.label_smoothing={self.train.label_smoothing} has no meaning with train.loss: focal; set it to "
                "0, or take loss: cross_entropy"
            )

    @model_validator(mode="after")
    def _empty_answers_are_learned(self) -> "Settings":
        if self.predict.no_answer_threshold is not None and not self.train.no_answer:
            raise ValueError(
                "predict.no_answer_threshold needs train.no_answer: true; a model that never saw a window without an "
                "answer cannot tell one"
            )
        return self
