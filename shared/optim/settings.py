"""The params of the optimizer."""

from typing import Annotated, Literal

from pydantic import Field

from shared.settings import Section, rule

Kind = Literal["adamw", "adam", "radam", "sgd", "lion", "rmsprop", "adafactor"]
Wrap = Literal[
    "weight_decay", "layer_adaptation", "piecewise", "lookahead", "lazy", "layer_decay", "rates", "swa"
]  # fmt: skip
_UNDONE_BY_ADAPTATION = ("piecewise", "lookahead", "layer_decay", "rates")
# Decay is not among them: it shrinks the weights in the step of a jump as in any other, and the slow ones follow.
_PARTED_FROM_LOOKAHEAD = ("piecewise", "lazy", "layer_decay", "rates")


class OptimizerSettings(Section):
    """Which optimizer, and what is wrapped around it: each wrapper sees the whole displacement of what is inside.

    The bias-corrected average of the weights (train.ema_momentum) always comes outermost.
    """

    kind: Kind = Field(
        "adamw",
        description="the innermost optimizer; train.weight_decay holds for each, decoupled. adam is adamw, but lets "
        "weight_decay have a place in wrap, as all others do",
    )
    wrap: tuple[Wrap, ...] = Field((), description="what is wrapped around it, innermost first")
    sgd_momentum: float = Field(0.9, ge=0, lt=1, description="of kind sgd")
    piecewise_points: Annotated[
        tuple[tuple[Annotated[int, Field(ge=0)], Annotated[float, Field(ge=0)]], ...], Field(min_length=1)
    ] = Field(
        ((1000, 1.0), (2000, 0.1)),
        description="piecewise: pairs of step and factor on the rate, linear between them and flat behind the last; "
        "step 0 has the factor 0 if it is not among them",
    )
    lookahead_steps: int = Field(5, ge=2, description="lookahead: so many steps, then one of the slow weights")
    lookahead_share: float = Field(0.5, gt=0, le=1, description="lookahead: of the way that the slow weights take")
    lazy_names: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("token_embedding",), description="lazy: parts of the paths of tables whose rows rest without a gradient"
    )
    layer_decay_rate: float = Field(
        0.9,
        gt=0,
        le=1,
        description="layer_decay: factor on the rate from each block to the one below it; layers with the same weights "
        "are one block",
    )
    rate_factors: tuple[tuple[str, Annotated[float, Field(ge=0)]], ...] = Field(
        (),
        description="rates: pairs of a part of a weight's path and its factor on the rate; the first that fits holds",
    )
    swa_start: float = Field(0.5, ge=0, lt=1, description="swa: share of all steps before the first weights averaged")
    swa_every: int = Field(1, ge=1, description="swa: steps from one set of weights averaged to the next")

    @rule
    def _wrappers_fit(self) -> None:
        wrap = self.wrap
        twice = next((name for name in wrap if wrap.count(name) > 1), None)
        if twice:
            raise ValueError(f"wrap names {twice} twice. Name it once, at its place")
        if self.kind == "adamw" and "weight_decay" in wrap:
            raise ValueError("adamw decays by itself. Take weight_decay out of wrap, or set kind: adam")
        if "swa" in wrap[:-1]:
            raise ValueError("swa averages the final weights. Put it last in wrap")
        if "layer_adaptation" in wrap:
            if self.kind == "adafactor":
                raise ValueError("adafactor scales its steps by the weights already. Take layer_adaptation out of wrap")
            inside = wrap[: wrap.index("layer_adaptation")]
            undone = next((name for name in inside if name in _UNDONE_BY_ADAPTATION), None)
            if undone:
                raise ValueError(
                    f"layer_adaptation gives steps a size of its own, which undoes {undone} inside of it. "
                    f"Put {undone} behind layer_adaptation in wrap"
                )
        if "lookahead" in wrap:
            outside = wrap[wrap.index("lookahead") + 1 :]
            parted = next((name for name in outside if name in _PARTED_FROM_LOOKAHEAD), None)
            if parted:
                raise ValueError(
                    f"lookahead sets the weights to its slow ones, and {parted} outside of it would part them. "
                    f"Put {parted} before lookahead in wrap"
                )
        if ("rates" in wrap) != bool(self.rate_factors):
            raise ValueError("rates in wrap and rate_factors go together. Give both or none")
        steps = [step for step, _ in self.piecewise_points]
        if steps != sorted(set(steps)):
            raise ValueError(f"the steps of piecewise_points must rise, got {steps}")

    def check(self, weight_decay: float, ema_momentum: float) -> None:
        """Checks what hangs on other params of train. Raises: ValueError."""
        if "swa" in self.wrap and ema_momentum:
            raise ValueError("swa in optimizer.wrap and ema_momentum both average the weights. Set ema_momentum: 0")
        if "weight_decay" in self.wrap and not weight_decay:
            raise ValueError("weight_decay is 0, but optimizer.wrap has it. Take it out there, or give it a value")
