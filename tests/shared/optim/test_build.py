"""Every kind, every wrapper and every ordered pair of wrappers, against NumPy in float64."""

import itertools
from contextlib import ExitStack

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from shared.backbones.settings import BackboneSettings, build_backbone
from shared.errors import UserError
from shared.optim.adamw import AdamW
from shared.optim.build import build_optimizer, learning_rate
from shared.optim.ema import Ema
from shared.optim.layer_decay import LayerDecay
from shared.optim.radam import RAdam
from shared.optim.schedule import WarmupLinearDecay
from shared.optim.wrapper import Wrapper
from tests.conftest import to_numpy
from tests.shared.optim import reference
from tests.shared.training import toy

TABLE = "backbone/embedding/token_embedding"
STEPS, TOTAL = 7, 10
DECAY, MOMENTUM = 0.1, 0.8
# Small enough that each wrapper does all it can do within 7 steps.
OPTIONS = {
    "lookahead_steps": 3,
    "lookahead_share": 0.4,
    "piecewise_points": ((2, 1.0), (5, 0.1)),
    "layer_decay_rate": 0.6,
    "rate_factors": (("block_1/kernel", 2.0), ("head", 0.0), ("norm", 0.5)),
    "swa_start": 0.2,
    "swa_every": 2,
}
INNER = {
    "weight_decay": lambda inner: reference.weight_decay(inner, DECAY),
    "layer_adaptation": reference.layer_adaptation,
    "piecewise": lambda inner: reference.scaled(inner, lambda _, t: np.interp(t, [0, 2, 5], [0, 1, 0.1])),
    "lookahead": lambda inner: reference.lookahead(inner, 3, 0.4),
    "lazy": lambda inner: reference.lazy(inner, TABLE),
    "layer_decay": lambda inner: reference.scaled(
        inner, lambda name, _: 0.6 ** {"embedding": 3, "block_0": 2, "block_1": 1}.get(name.split("/")[1], 0)
    ),
    "rates": lambda inner: reference.scaled(
        inner,
        lambda name, _: {"block_1/kernel": 2.0, "head/kernel": 0.0, "head/bias": 0.0, "norm/gamma": 0.5}.get(
            "/".join(name.split("/")[-2:]), 1.0
        ),
    ),
}
KINDS = {
    "adamw": lambda: reference.adam(DECAY),
    "adam": lambda: reference.adam(DECAY),
    "radam": lambda: reference.weight_decay(reference.radam(), DECAY),
    "sgd": lambda: reference.weight_decay(reference.sgd(), DECAY),
    "lion": lambda: reference.weight_decay(reference.lion(), DECAY),
    "rmsprop": lambda: reference.weight_decay(reference.rmsprop(), DECAY),
    "adafactor": lambda: reference.adafactor(DECAY),
}
REFUSED = {
    **{(name, "layer_adaptation"): name for name in ("piecewise", "lookahead", "layer_decay", "rates")},
    **{("lookahead", name): name for name in ("piecewise", "lazy", "layer_decay", "rates")},
}  # and what the message says to put elsewhere
PAIRS = [pair for pair in itertools.permutations(INNER, 2) if pair not in REFUSED]
AVERAGES = [(name, average) for name in INNER for average in ("ema", "swa")]


@pytest.fixture(autouse=True)
def in_64_bits():
    """Lets JAX have float64 too."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def train_settings(wrap=(), kind="adam", ema=0.0, decay=DECAY, **changes):
    options = {name: value for name, value in OPTIONS.items() if name != "rate_factors" or "rates" in wrap} | changes
    return toy.train_settings(
        learning_rate=reference.RATE,
        final_rate=0.2,
        weight_decay=decay,
        ema_momentum=ema,
        optimizer={"kind": kind, "wrap": tuple(wrap), **options},
    )


def built(train, variables):
    return build_optimizer(train, WarmupLinearDecay(train.learning_rate, 0, TOTAL, train.final_rate), variables)


def start(dtype="float64"):
    """The weights by name; the head starts at 0."""
    rng, variables = np.random.default_rng(1), []
    for name, shape in reference.NAMES.items():
        value = rng.normal(size=shape).astype("float32") * ("head" not in name)
        *scopes, last = name.split("/")
        with ExitStack() as stack:
            for scope in scopes:
                stack.enter_context(keras.name_scope(scope))
            variables.append(keras.Variable(value.astype(dtype), dtype=dtype, name=last))
    assert [variable.path for variable in variables] == list(reference.NAMES)
    return variables


def gradients():
    """Yields gradients by name; rows of the table are 0 in most steps, and that of block_0 is at first."""
    rng = np.random.default_rng(2)
    for t in range(1, STEPS + 1):
        found = {name: rng.normal(size=shape).astype("float32") for name, shape in reference.NAMES.items()}
        found[TABLE] *= np.isin(np.arange(5), [t % 5, (2 * t) % 5])[:, None]
        found["backbone/block_0/kernel"] *= t > 1
        yield {name: g.astype(np.float64) for name, g in found.items()}


def apply(optimizer, variables, arrays):
    """A step, on JAX through `stateless_apply` as in training."""
    tensors = [keras.ops.convert_to_tensor(array, variable.dtype) for array, variable in arrays]
    if keras.backend.backend() == "jax":
        state = [variable.value for variable in optimizer.variables], [variable.value for variable in variables]
        weights, values = optimizer.stateless_apply(state[0], tensors, state[1])
        for variable, value in zip([*variables, *optimizer.variables], [*weights, *values], strict=True):
            variable.assign(value)
    else:
        optimizer.apply(tensors)


def compare(train, step, atol=2e-7, dtype="float64"):
    """Takes all steps, compares the weights after each of them; returns the optimizer and the weights' history."""
    variables = start(dtype)
    optimizer = built(train, variables)
    thetas = {v.path: to_numpy(v).astype(np.float64) for v in variables}
    history = []
    for t, found in enumerate(gradients(), 1):
        apply(optimizer, variables, list(zip(found.values(), variables, strict=True)))
        thetas = step(thetas, found, t)
        history.append(thetas)
        for variable in variables:
            message = f"{variable.path}, step {t}"
            np.testing.assert_allclose(to_numpy(variable), thetas[variable.path], rtol=0, atol=atol, err_msg=message)
    assert int(to_numpy(optimizer.iterations)) == STEPS
    return optimizer, variables, history


def nested(wrap, step):
    for name in wrap:
        step = INNER[name](step)
    return step


def base(wrap):
    return reference.adam(0.0 if "weight_decay" in wrap else DECAY)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_equals_its_reference(kind):
    compare(train_settings(kind=kind), KINDS[kind]())


def test_radam_waits_four_steps_in_float32_too():
    compare(train_settings(kind="radam"), KINDS["radam"](), atol=3e-5, dtype="float32")


def test_radam_has_no_amsgrad():
    with pytest.raises(ValueError, match="RAdam has no amsgrad"):
        RAdam(1e-3, amsgrad=True)


def test_adafactor_survives_a_row_and_a_column_without_gradient():
    """In float32, where Keras' default for epsilon_1 gives 0 / 0."""
    variables = [keras.Variable(np.ones((3, 2), "float32"), name="table")]
    optimizer = built(train_settings(kind="adafactor", decay=0.0), variables)
    for size in (1.0, 1e-3):
        apply(optimizer, variables, [(np.array([[size, 0], [size, 0], [0, 0]]), variables[0])])
    np.testing.assert_array_equal(to_numpy(variables[0])[2], [1, 1])
    assert np.isfinite(to_numpy(variables[0])).all()


@pytest.mark.parametrize("name", INNER)
def test_each_wrapper_equals_its_reference(name):
    compare(train_settings([name]), nested([name], base([name])))


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_each_pair_equals_its_reference(first, second):
    wrap = [first, second]
    compare(train_settings(wrap), nested(wrap, base(wrap)))


@pytest.mark.parametrize(("first", "second"), REFUSED)
def test_each_pair_in_which_one_undoes_the_other_is_refused_and_turned_round_allowed(first, second):
    place = {"lookahead": "before lookahead", "layer_adaptation": "behind layer_adaptation"}
    moved = REFUSED[first, second]
    with pytest.raises(ValidationError, match=f"Put {moved} {place[first if moved == second else second]} in wrap"):
        train_settings([first, second])
    assert (second, first) in PAIRS


@pytest.mark.parametrize("kind", ["radam", "sgd", "lion", "rmsprop", "adafactor"])
def test_wrappers_go_around_other_kinds(kind):
    wrap = ["lazy", "layer_decay", "lookahead"]
    compare(train_settings(wrap, kind), nested(wrap, KINDS[kind]()))


@pytest.mark.parametrize(("name", "average"), [(None, "ema"), (None, "swa"), *AVERAGES])
def test_averages_are_those_of_the_final_weights(name, average):
    wrap = [name] if name else []
    train = train_settings([*wrap, *(["swa"] if average == "swa" else [])], ema=MOMENTUM if average == "ema" else 0.0)
    optimizer, variables, history = compare(train, nested(wrap, base(wrap)))
    assert optimizer.use_ema
    for variable, found in zip(variables, optimizer.averages, strict=True):
        thetas = [theta[variable.path] for theta in history]
        want = reference.ema(thetas, MOMENTUM) if average == "ema" else reference.swa(thetas, 2, 2)
        np.testing.assert_allclose(to_numpy(found), want, atol=1e-6)


@pytest.mark.parametrize("kind", ["radam", "sgd", "lion", "rmsprop", "adafactor"])
def test_the_average_goes_around_any_kind(kind):
    variables = start()
    optimizer = built(train_settings(kind=kind, ema=MOMENTUM), variables)
    history = []
    for found in gradients():
        apply(optimizer, variables, list(zip(found.values(), variables, strict=True)))
        history.append([np.float64(to_numpy(v)) for v in variables])
    for got, *thetas in zip(optimizer.averages, *history, strict=True):
        np.testing.assert_allclose(to_numpy(got), reference.ema(thetas, MOMENTUM), atol=1e-6)


def test_before_its_start_swa_has_the_weights_themselves():
    variables = start()
    optimizer = built(train_settings(["swa"], swa_start=0.8), variables)
    for found in itertools.islice(gradients(), 3):
        apply(optimizer, variables, list(zip(found.values(), variables, strict=True)))
        for got, variable in zip(optimizer.averages, variables, strict=True):
            np.testing.assert_allclose(to_numpy(got), to_numpy(variable), atol=1e-7)


def test_in_float32_all_wrappers_together_equal_their_reference_within_rounding():
    wrap = ["weight_decay", "layer_adaptation", "lazy", "layer_decay", "rates", "piecewise", "lookahead"]
    compare(train_settings(wrap), nested(wrap, base(wrap)), atol=5e-6, dtype="float32")


def test_adam_with_decay_in_layer_adaptation_is_lamb():
    """You et al. 2019, algorithm 2, written out, with Adam's moments corrected as in Keras (epsilon aside)."""
    m, v = {}, {}

    def lamb(thetas, found, t):
        moved = {}
        for name, g in found.items():
            m[name] = 0.9 * m.get(name, 0.0) + 0.1 * g
            v[name] = 0.999 * v.get(name, 0.0) + 0.001 * g**2
            root = np.sqrt(v[name] / (1 - 0.999**t)) + 1e-6 / np.sqrt(1 - 0.999**t)
            r = m[name] / (1 - 0.9**t) / root
            if name not in reference.PLAIN:
                r = r + DECAY * thetas[name]
                if np.linalg.norm(thetas[name]) and np.linalg.norm(r):
                    r = r * np.linalg.norm(thetas[name]) / np.linalg.norm(r)
            moved[name] = thetas[name] - reference.rate(t) * r
        return moved

    compare(train_settings(["layer_adaptation"], kind="adamw"), lamb)


def test_lookahead_starts_at_the_weights_of_the_first_step_not_of_its_making():
    """Pretrained weights may come after the optimizer."""
    variables = start()
    optimizer = built(train_settings(["lookahead"], lookahead_steps=2, lookahead_share=0.5, kind="sgd"), variables)
    for variable in variables:
        variable.assign(keras.ops.ones(variable.shape))
    for _ in range(2):
        apply(optimizer, variables, [(np.zeros(variable.shape), variable) for variable in variables])
    assert to_numpy(variables[0]).min() > 0.98  # 1 but for the decay; half of that with slow weights from 0


def test_a_lazy_row_rests_but_its_moments_decay():
    variables = start()
    optimizer = built(train_settings(["lazy"], kind="adamw"), variables)
    first, *_ = gradients()
    apply(optimizer, variables, list(zip(first.values(), variables, strict=True)))
    (moments,) = (v for v in optimizer.variables if "token_embedding" in v.path and "momentum" in v.path)
    before, row = to_numpy(moments), to_numpy(variables[0])[1]
    apply(optimizer, variables, [(np.zeros(variable.shape), variable) for variable in variables])
    np.testing.assert_allclose(to_numpy(moments), 0.9 * before, rtol=1e-6)
    assert np.abs(before[1]).max() > 0
    np.testing.assert_array_equal(to_numpy(variables[0])[1], row)


@pytest.mark.parametrize("kind", ["adamw", "adam"])
def test_without_wrappers_the_optimizer_is_adamw_itself(kind):
    assert type(built(train_settings(kind=kind, ema=0.9), start())) is AdamW


def test_around_wrappers_the_average_is_outermost_and_there_is_one():
    optimizer = built(train_settings(["lookahead"], kind="adamw", ema=0.9), start())
    assert isinstance(optimizer, Ema)
    assert sum("average" in variable.path for variable in optimizer.variables) == len(reference.NAMES)


def test_a_wrapper_costs_nothing_for_weights_it_does_not_touch():
    train = train_settings(["rates"], rate_factors=(("head/bias", 0.5),))
    assert built(train, start()).touched == [5]


def test_all_state_is_in_variables_once():
    wrap = ["weight_decay", "lazy", "piecewise", "lookahead"]
    variables = start()
    optimizer = built(train_settings(wrap, ema=0.9), variables)
    found = optimizer.variables
    assert len({id(variable) for variable in found}) == len(found)
    assert len(found) == 1 + 4 * len(variables)  # steps; moments, slow weights, averages
    assert any(variable is optimizer.iterations for variable in found)


@pytest.mark.parametrize(
    ("wrap", "changes", "words"),
    [
        (["lazy"], {"lazy_names": ("token_embeding",)}, ["lazy_names", "Did you mean 'token_embedding'?"]),
        (["rates"], {"rate_factors": (("heat", 2.0),)}, ["rate_factors", "'heat'", "Did you mean 'head'?"]),
        (["swa"], {"swa_every": 9}, ["swa_every is 9", "8 steps"]),
    ],
)
def test_options_that_fit_nothing_are_user_errors(wrap, changes, words):
    with pytest.raises(UserError) as error:
        built(train_settings(wrap, **changes), start())
    assert all(word in str(error.value) for word in words)


def test_layer_decay_without_blocks_is_a_user_error():
    with pytest.raises(UserError, match="layer_decay needs a backbone"):
        built(train_settings(["layer_decay"]), [keras.Variable(np.zeros(2), name="kernel")])


def test_layers_that_share_their_weights_are_one_block_of_layer_decay():
    """ALBERT with four layers in two groups: all below the head are three sets of weights, not five."""
    sizes = {"kind": "albert", "num_layers": 4, "num_groups": 2, "hidden_dim": 4, "num_heads": 2, "ffn_dim": 4}
    layer = build_backbone(BackboneSettings(architecture=sizes), 9, seed=0)
    layer.build((None, None), (None, None))
    variables = layer.trainable_variables
    want = {"embedding": 0.5**3, "block_0": 0.5**2, "block_1": 0.5}
    factors = LayerDecay(None, 0.5).factors(variables)
    assert factors == [want[variable.path.split("/")[1]] for variable in variables]
    assert set(factors) == set(want.values())


def test_the_rate_told_has_the_factor_of_piecewise():
    schedule = WarmupLinearDecay(2.0, 0, 100, 1.0)
    train = train_settings(["piecewise"], piecewise_points=((4, 1.0), (8, 0.5)))
    assert [learning_rate(train, schedule, step) for step in (0, 3, 5, 99)] == pytest.approx([0.5, 2.0, 1.5, 1.0])
    assert learning_rate(train_settings(), schedule, 0) == 2.0


def test_a_bare_wrapper_changes_nothing():
    one, two = start(), start()
    plain, wrapped = AdamW(0.1, weight_decay=0.1), Wrapper(AdamW(0.1, weight_decay=0.1))
    plain.build(one)
    wrapped.build(two)
    for found in gradients():
        for optimizer, variables in ((plain, one), (wrapped, two)):
            apply(optimizer, variables, list(zip(found.values(), variables, strict=True)))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))
