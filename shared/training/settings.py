"""The params of training and of the hardware it runs on."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.optim.settings import OptimizerSettings
from shared.settings import Section
from shared.training.tricks.settings import TricksSettings


class TrainSettings(Section):
    """How weights are learned. Steps are optimizer steps; an epoch is one pass over the training rows."""

    seed: int = Field(ge=0, lt=2**31, description="of the initial weights, the data order and dropout")
    epochs: int = Field(ge=1, description="passes over the training rows")
    batch_size: int = Field(ge=1, description="rows a step")
    batch_tokens: int = Field(
        0, ge=0, description="rows a step fill this many tokens instead of being batch_size; 0: batch_size"
    )
    bucket_lengths: Literal["auto"] | Annotated[tuple[int, ...], Field(min_length=1)] = Field(
        "auto",
        description="rows are batched with rows of like length and padded to the next of these, in tokens; in "
        "prediction only where each shape is compiled (XLA). auto: those few lengths that pad least",
    )
    learning_rate: float = Field(gt=0, description="peak, reached after the warm-up")
    warmup_share: float = Field(0.1, ge=0, lt=1, description="share of all steps in which the rate rises from 0")
    final_rate: float = Field(0.0, ge=0, le=1, description="share of the peak left at the last step; 1: no decay")
    weight_decay: float = Field(0.01, ge=0, description="decoupled; biases and normalizations are left alone")
    clip_norm: float = Field(1.0, ge=0, description="largest global gradient norm; 0: no clipping")
    ema_momentum: float = Field(0.99, ge=0, lt=1, description="of the bias-corrected weight average; 0 switches it off")
    checkpoint_minutes: float = Field(
        10.0, ge=0, description="how often the state is saved within an epoch; 0: at the end of epochs only"
    )
    stop_on_collapse: bool = Field(True, description="stop a run that learns nothing; false: only say so")
    accumulate: int = Field(
        1, ge=1, description="parts of batch_size rows, computed one after the other, that make one optimizer step"
    )
    optimizer: OptimizerSettings = Field(
        OptimizerSettings(), description="which optimizer, and what is wrapped around it"
    )
    tricks: TricksSettings = Field(TricksSettings(), description="what is done to the loss and its gradient")

    @model_validator(mode="after")
    def _buckets_rise(self):
        if self.bucket_lengths == "auto":
            return self
        if list(self.bucket_lengths) != sorted(set(self.bucket_lengths)) or self.bucket_lengths[0] < 8:
            raise ValueError(f"bucket_lengths must rise and start at 8 or more, got {list(self.bucket_lengths)}")
        return self

    @model_validator(mode="after")
    def _optimizer_fits(self):
        self.optimizer.check(self.weight_decay, self.ema_momentum)
        return self


class HardwareSettings(Section):
    """Where and how exactly it runs; the results depend on it in the last digits only."""

    backend: Literal["auto", "tensorflow", "jax"] = Field(
        "auto", description="of Keras; auto: what KERAS_BACKEND says, else tensorflow"
    )
    accelerator: Literal["auto", "cpu", "gpu", "tpu"] = Field("auto", description="auto: the fastest kind there is")
    devices: int = Field(0, ge=0, description="of that kind, on each host; 0: one, or all with data_parallel")
    strategy: Literal["single", "data_parallel", "multi_worker"] = Field(
        "single", description="one device, several on one host, or several hosts; results do not depend on it"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the matrix products; auto: bfloat16 where the hardware multiplies it fast"
    )
    jit: Literal["auto", "on", "off"] = Field(
        "auto", description="XLA compilation of the training step; auto: on for GPU, TPU and JAX"
    )
    deterministic: Literal["auto", "on", "off"] = Field(
        "auto",
        description="equal runs give equal bytes; TensorFlow then has no XLA; auto: on for CPUs, unless jit is on",
    )
    recompute: bool = Field(
        False, description="keep only what enters each block and compute the rest again for the gradient: less memory"
    )
    steps_per_execution: int = Field(
        1, ge=1, description="steps of one shape in one call of the device; such batches follow each other in the order"
    )
    memory_gib: float = Field(0.0, ge=0, description="warn if training will need more; 0: what the machine has")
    predict_batch_size: int = Field(64, ge=1, description="rows a batch where nothing is learned, at most")
