# ruff: noqa: E501 (the messages stand on one line here, as they do for the user)
"""Settings: every slip in params.yaml is reported with its line, and nothing else is."""

import re
from pathlib import Path
from typing import Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator
from ruamel.yaml import YAML

from shared.errors import UserError
from shared.settings import Section, json_schema, load_settings, raw_folders, rule, settings_from_dict


class Model(Section):
    condition: Literal["cln", "token", "none"] = Field("cln", description="how the variant reaches the encoder")
    kernel_sizes: tuple[PositiveInt, ...] = Field((3, 5), min_length=1, description="tokens")
    threads: PositiveInt | Literal["auto"] = Field("auto", description="CPU threads")
    batch: Literal[16, 32] = 16
    weights: str | None = Field(None, min_length=1, description="checkpoint file")


class Decay(Section):
    rate: float = Field(ge=0, description="per step", examples=[0.01])
    skip: tuple[str, ...] = ()


class Train(Section):
    learning_rate: PositiveFloat = Field(description="peak, reached after warmup")
    epochs: PositiveInt = Field(description="number of passes over the training data")
    ema_momentum: float = Field(0.0, ge=0, lt=1, description="0 switches averaging off")
    warmup: bool = True
    decay: Decay

    @model_validator(mode="after")
    def _momentum_needs_epochs(self):
        if self.ema_momentum > 0 and self.epochs < 2:
            raise ValueError("ema_momentum needs at least 2 epochs")
        return self


class Toy(Section):
    model: Model
    train: Train


GOOD = """\
# yaml-language-server: $schema=params.schema.json
version: 1
raw:
  toy: data/sample/toy
toy:
  model:
    condition: cln
    kernel_sizes:
      - 3
      - 5
    threads: auto
    batch: 16
    weights:
  train:
    learning_rate: 2.0e-5
    epochs: 3
    ema_momentum: 0.9
    warmup: true
    decay:
      rate: 0
      skip: []
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Writes params.yaml in a folder with the competitions `toy` and `other`, and loads toy's settings from there."""
    monkeypatch.chdir(tmp_path)
    for name in ("toy", "other", "__pycache__"):
        (tmp_path / "competitions" / name).mkdir(parents=True)

    def write_and_load(text: str | bytes, name: str = "toy") -> Toy:
        Path("params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_settings(name, Toy)

    return write_and_load


@pytest.fixture
def message(load):
    def of(text: str | bytes, name: str = "toy") -> str:
        with pytest.raises(UserError) as error:
            load(text, name)
        return str(error.value)

    return of


def with_line(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


# What is read


def test_good_file_becomes_frozen_models(load):
    settings = load(GOOD)
    assert settings.model == Model(kernel_sizes=(3, 5))
    assert settings.train == Train(learning_rate=2e-5, epochs=3, ema_momentum=0.9, decay=Decay(rate=0))
    with pytest.raises(ValidationError):
        settings.train.epochs = 4


def test_values_are_plain_python(load):
    settings = load(GOOD)
    assert type(settings.train.learning_rate) is float
    assert type(settings.train.decay.rate) is float
    assert type(settings.train.epochs) is int
    assert type(settings.model.kernel_sizes) is tuple
    assert type(settings.model.condition) is str


def test_fields_with_defaults_may_be_left_out(load):
    text = re.sub(r"(?s)  model:.*  train:", "  model: {}\n  train:", GOOD)
    assert load(text).model == Model()


def test_byte_order_mark_and_crlf_are_accepted(load):
    assert load(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) == load(GOOD)


def test_what_dvc_writes_is_read(load):
    """`dvc exp run -S` writes 3e-05 and 1e-4 without a dot, null as nothing and lists in block style."""
    hydra = pytest.importorskip("dvc.utils.hydra")
    load(GOOD)
    overrides = ["toy.train.learning_rate=3e-5", "toy.model.kernel_sizes=[1,7]", "toy.model.weights=null"]
    hydra.apply_overrides("params.yaml", [*overrides, 'raw.toy="/somewhere/短短匹配"'])
    text = Path("params.yaml").read_text(encoding="utf-8")
    assert "learning_rate: 3e-05" in text
    settings = load(text)
    assert settings.train.learning_rate == 3e-5
    assert settings.model.kernel_sizes == (1, 7)
    assert settings.model.weights is None
    assert raw_folders() == {"toy": Path("/somewhere/短短匹配")}


def test_block_without_entry_in_raw_is_switched_off(load):
    assert load(GOOD + "other:\n  anything: 1\n") == load(GOOD)


# What is refused in a block: the line of GOOD that is replaced, its replacement, the message

SLIPS = [
    (
        "    epochs: 3",
        "    epochs: two",
        "16: toy.train.epochs = 'two': expected an integer >= 1 (number of passes over the training data).",
    ),
    (
        "    epochs: 3",
        "    epochs: 0",
        "16: toy.train.epochs = 0: expected an integer >= 1 (number of passes over the training data).",
    ),
    (
        "    epochs: 3",
        "    epochs: 2.0",
        "16: toy.train.epochs = 2.0: expected an integer >= 1 (number of passes over the training data).",
    ),
    (
        "    epochs: 3",
        "    epochs: true",
        "16: toy.train.epochs = true: expected an integer >= 1 (number of passes over the training data).",
    ),
    (
        "    epochs: 3",
        "    epochs:",
        "16: toy.train.epochs is empty: expected an integer >= 1 (number of passes over the training data).",
    ),
    (
        "    epochs: 3",
        "    epochs: {a: 1}",
        "16: toy.train.epochs = {\"a\": 1}: expected an integer >= 1 (number of passes over the training data).",
    ),
    (
        "    epochs: 3",
        "    other: 3\n    epochs: 3",
        "16: unknown key 'toy.train.other'. Valid keys: learning_rate, epochs, ema_momentum, warmup, decay.",
    ),
    (
        "    ema_momentum: 0.9",
        "    ema_momentum: 1.5",
        "17: toy.train.ema_momentum = 1.5: expected a number >= 0 and < 1 (0 switches averaging off).",
    ),
    (
        "    ema_momentum: 0.9",
        "    ema_momentum: '0.9'",
        "17: toy.train.ema_momentum = '0.9': expected a number >= 0 and < 1 (0 switches averaging off).",
    ),
    (
        "    ema_momentum: 0.9",
        "    ema_momentum: .nan",
        "17: toy.train.ema_momentum = NaN: expected a finite number >= 0 and < 1 (0 switches averaging off).",
    ),
    (
        "    learning_rate: 2.0e-5",
        "    learning_rate: .inf",
        "15: toy.train.learning_rate = Infinity: expected a finite number > 0 (peak, reached after warmup).",
    ),
    ("    warmup: true", "    warmup: yes", "18: toy.train.warmup = 'yes': expected true or false."),
    ("    warmup: true", "    warmup: 1", "18: toy.train.warmup = 1: expected true or false."),
    (
        "    condition: cln",
        "    condition: clm",
        "7: toy.model.condition = 'clm': expected one of 'cln', 'token', 'none' "
        "(how the variant reaches the encoder). Did you mean 'cln'?",
    ),
    (
        "    condition: cln",
        "    condition: 7",
        "7: toy.model.condition = 7: expected one of 'cln', 'token', 'none' (how the variant reaches the encoder).",
    ),
    ("    batch: 16", "    batch: 64", "12: toy.model.batch = 64: expected one of 16, 32."),
    (
        "    threads: auto",
        "    threads: atuo",
        "11: toy.model.threads = 'atuo': expected 'auto', or an integer >= 1 (CPU threads). Did you mean 'auto'?",
    ),
    (
        "    threads: auto",
        "    threads: [1, 2]",
        "11: toy.model.threads = [1, 2]: expected 'auto', or an integer >= 1 (CPU threads).",
    ),
    (
        "    weights:\n",
        "    weights: ''\n",
        "13: toy.model.weights = '': expected text that is not empty, or null (checkpoint file).",
    ),
    ("      - 5", "      - five", "10: toy.model.kernel_sizes[1] = 'five': expected an integer >= 1 (tokens)."),
    (
        "      - 3\n      - 5\n",
        "      []\n",
        "8: toy.model.kernel_sizes = []: expected a list of at least 1, each an integer >= 1 (tokens).",
    ),
    (
        "      skip: []",
        "      skip: bias",
        "21: toy.train.decay.skip = 'bias': expected a list, each text.",
    ),
    (
        "      rate: 0",
        "      rat: 0\n      rate: 0",
        "20: unknown key 'toy.train.decay.rat'. Did you mean 'rate'? Valid keys: rate, skip.",
    ),
    ("      rate: 0\n", "", "19: missing key 'toy.train.decay.rate': a number >= 0 (per step), e.g. 0.01."),
    ("    decay:\n      rate: 0\n      skip: []\n", "    decay:\n", "19: toy.train.decay is empty: expected a mapping with the keys rate, skip."),
    (
        "    decay:\n      rate: 0\n      skip: []\n",
        "    decay: [1]\n",
        "19: toy.train.decay = [1]: expected a mapping with the keys rate, skip.",
    ),
    (
        "    decay:\n      rate: 0\n      skip: []\n",
        "",
        "14: missing key 'toy.train.decay': a mapping with the keys rate, skip.",
    ),
    ("    epochs: 3", "    epochs: 1", "14: toy.train: ema_momentum needs at least 2 epochs."),
    ("    epochs: 3", "    epochs: 3\n    epochs: 4", "17: duplicate key 'toy.train.epochs', first given in line 16. Remove one of them."),
    ("    epochs: 3", f"    epochs: {'x' * 100}", f"16: toy.train.epochs = '{'x' * 56}...: expected an integer >= 1 (number of passes over the training data)."),
    ("    warmup: true", "    warmup: 2021-04-01", "18: toy.train.warmup = '2021-04-01': expected true or false."),
    ("version: 1", "version: '1'", "2: version = '1': expected 1."),
    ("version: 1", "version: true", "2: version = true: expected 1."),
    (
        "version: 1",
        "version: 0",
        "2: version = 0: settings of an older version; this kit reads 1: change it as CHANGELOG.md says.",
    ),
    (
        "version: 1",
        "version: 2",
        "2: version = 2: settings of a newer version; this kit reads 1: update the kit (CHANGELOG.md tells what is new).",
    ),
    ("version: 1\n", "", "1: missing key 'version'. Write `version: 1` as the first setting."),
    ("  toy: data/sample/toy", "  toy: ''", "4: raw.toy = '': expected the folder of the official files."),
    ("  toy: data/sample/toy", "  toy: 3", "4: raw.toy = 3: expected the folder of the official files."),
    (
        "  toy: data/sample/toy",
        "  toy: data/sample/toy\n  othr: data",
        "5: 'othr' in raw: there is no folder competitions/othr. Did you mean 'other'? Competitions: other, toy.",
    ),
    (
        "  toy: data/sample/toy",
        "  toy: data/sample/toy\n  Other: data",
        "5: 'Other' in raw: a competition's name is a letter, then letters, digits and _, all lower-case, and no Python "
        "keyword. Did you mean 'other'?",
    ),
    (
        "  toy: data/sample/toy",
        "  toy: data/sample/toy\n  other: data",
        "5: 'other' is in raw, but there is no block `other:` with its settings. Add one, or take 'other' out of raw.",
    ),
    ("version: 1", "version: 1\notter: {}", "3: unknown key 'otter'. Did you mean 'other'? Valid keys: version, raw, other, toy."),
    (
        "raw:\n  toy: data/sample/toy",
        "raw:",
        "3: raw is empty: expected a mapping from each competition to the folder of its official files. "
        "Competitions: other, toy.",
    ),
    (
        "raw:\n  toy: data/sample/toy",
        "raw: [toy]",
        '3: raw = ["toy"]: expected a mapping from each competition to the folder of its official files. '
        "Competitions: other, toy.",
    ),
    (
        "raw:\n  toy: data/sample/toy\n",
        "",
        "1: missing key 'raw': a mapping from each competition to the folder of its official files.",
    ),
    # the text is YAML's business
    ("      skip: []", "      skip: [", "22:1: not YAML: expected the node content, but found '<stream end>' while parsing a flow node."),
    ("    epochs: 3", "    epochs: !own 3", "16:13: not YAML: tag '!own' has no meaning here; remove it."),
    ("    epochs: 3", "    epochs: !!int x", "16:13: not YAML: 'x' is not of type int."),
    ("    epochs: 3", "    1: 3", "16:5: not YAML: a key that is not text; put it in quotes."),
    (
        "    epochs: 3",
        "    epochs: &e 3",
        "16:13: not YAML: anchor '&e'; write the values out, as `dvc exp run -S` would do unasked.",
    ),
    ("    epochs: 3", "    epochs: \x07", "16: not YAML: control character U+0007. Remove it."),
    ("    condition: cln", '    condition: "\\ud800"', "7:16: not YAML: text with half a character (a lone surrogate escape)."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), SLIPS, ids=[slip[2][:40] for slip in SLIPS])
def test_one_slip_gives_one_message_with_its_line(message, old, new, expected):
    assert message(with_line(old, new)) == f"params.yaml:{expected}"


def test_unknown_key_names_the_nearest_and_the_valid_keys(message):
    assert message(with_line("    epochs: 3", "    epoch: 3")).splitlines() == [
        "params.yaml:14: missing key 'toy.train.epochs': an integer >= 1 (number of passes over the training data).",
        "params.yaml:16: unknown key 'toy.train.epoch'. Did you mean 'epochs'? "
        "Valid keys: learning_rate, epochs, ema_momentum, warmup, decay.",
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file(message):
    text = (
        GOOD.replace("condition: cln", "conditon: cln")
        .replace("epochs: 3", "epochs: two")
        .replace("rate: 0", "rate: -1")
    )
    text = text.replace("version: 1", "version: 1\ntoi: {}").replace("warmup: true", "warmup: true\n    warmup: false")
    lines = message(text).splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [3, 8, 17, 20, 22]


def test_empty_block_lists_its_keys(message):
    text = GOOD[: GOOD.index("  model:")]
    assert message(text) == "params.yaml:5: toy is empty: expected a mapping with the keys model, train."


def test_name_outside_raw_gives_the_nearest(message):
    assert message(GOOD, "tay") == "params.yaml:3: 'tay' is not in raw. Did you mean 'toy'? Competitions in raw: toy."
    assert message(GOOD, "version") == "params.yaml:3: 'version' is not in raw. Competitions in raw: toy."


def test_missing_file_says_where_to_run(load, tmp_path):
    with pytest.raises(UserError, match=r"^params\.yaml: no such file\. Run the command in the project's folder"):
        load_settings("toy", Toy)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_file_without_settings_is_refused(message, text):
    assert message(text) == "params.yaml: the file is empty. Bring it back, e.g. git checkout params.yaml."


def test_list_at_the_top_is_refused(message):
    want = "params.yaml:1: expected lines `key: value`, beginning with `version: 1`, but found a list."
    assert message("- version: 1\n") == want
    assert message("version 1\n") == want.replace("a list", "a single value")


def test_other_encodings_are_refused_with_the_line(message):
    assert message(GOOD.encode() + "# 训练\n".encode("gb18030")).startswith("params.yaml:22: not UTF-8")


def test_two_documents_and_deep_nesting_are_refused_without_a_trace(message):
    assert "expected a single document" in message(GOOD + "---\na: 1\n")
    assert message("[" * 3000).startswith("params.yaml")


def test_list_items_and_unions_of_sections_are_reported_at_their_lines(tmp_path, monkeypatch):
    class Bert(Section):
        kind: Literal["bert"]
        heads: PositiveInt

    class Rotary(Section):
        kind: Literal["rotary"]
        base: float

    class Encoders(Section):
        encoders: tuple[Bert | Rotary, ...]
        first: Bert | Rotary = Field(discriminator="kind")
        sizes: dict[str, tuple[int, int]] = {}
        last: Bert | None = None

    monkeypatch.chdir(tmp_path)
    Path("competitions/toy").mkdir(parents=True)
    head = "version: 1\nraw: {toy: x}\ntoy:\n  encoders:\n"
    cases = {
        "  - kind: bert\n    heads: 0\n  first: {kind: rotary, base: 1}\n": ["6: toy.encoders[0].heads = 0: expected an integer >= 1."],
        "    []\n  first: {kind: rotary}\n": ["6: missing key 'toy.first.base': a number."],
        "    []\n  first:\n    kind: rotary\n    base: 1\n    heads: 2\n": [
            "9: unknown key 'toy.first.heads'. Valid keys: kind, base."
        ],
        "    []\n  first:\n    kind: rotari\n": [
            "7: toy.first.kind = 'rotari': expected one of 'bert', 'rotary'. Did you mean 'rotary'?"
        ],
        "    []\n  first: {base: 1}\n": ["6: missing key 'toy.first.kind': one of 'bert', 'rotary'."],
        "    []\n  first: 3\n": ["6: toy.first = 3: expected a mapping with the keys kind, heads, or a mapping with the keys kind, base."],
        "    []\n  first: {kind: rotary, base: 1}\n  sizes:\n    a: [1, x]\n    b: [1]\n    c: [1, 2, 3]\n": [
            "8: toy.sizes.a[1] = 'x': expected an integer.",
            "9: toy.sizes.b = [1]: expected a list of 2, each an integer.",
            "10: toy.sizes.c = [1, 2, 3]: expected a list of 2, each an integer.",
        ],
        "    []\n  first: {kind: rotary, base: 1}\n  last:\n    kind: bert\n": ["7: missing key 'toy.last.heads': an integer >= 1."],
    }  # fmt: skip
    for text, want in cases.items():
        Path("params.yaml").write_text(head + text, encoding="utf-8")
        with pytest.raises(UserError) as error:
            load_settings("toy", Encoders)
        got = [line.removeprefix("params.yaml:") for line in str(error.value).splitlines()]
        if "encoders[0]" in want[0]:  # a plain union also reports its other branch; the right one must be among them
            assert want[0] in got
        else:
            assert got == want


# The map raw, a model folder's settings, the schema


def test_raw_folders_keeps_the_order_of_the_file(load):
    load(GOOD + "other: {}\n")
    assert raw_folders() == {"toy": Path("data/sample/toy")}
    Path("params.yaml").write_text(GOOD.replace("raw:", "raw:\n  other: b") + "other: {}\n", encoding="utf-8")
    assert list(raw_folders().items()) == [("other", Path("b")), ("toy", Path("data/sample/toy"))]


def test_raw_folders_reports_problems_of_the_top_level_only(load):
    Path("params.yaml").write_text(GOOD.replace("epochs: 3", "epochs: two"), encoding="utf-8")
    assert list(raw_folders()) == ["toy"]
    Path("params.yaml").write_text(GOOD.replace("  toy: data/sample/toy", "  toy:"), encoding="utf-8")
    with pytest.raises(UserError, match=r"^params\.yaml:4: raw\.toy is empty: expected the folder"):
        raw_folders()


def test_saved_settings_come_back_equal(load):
    settings = load(GOOD)
    assert settings_from_dict(Toy, settings.model_dump(mode="json"), "settings.json") == settings


def test_saved_settings_are_checked_with_the_file_name(load):
    value = load(GOOD).model_dump(mode="json")
    value["train"]["epochs"] = "two"
    value["train"]["decay"]["rat"] = 1
    with pytest.raises(UserError) as error:
        settings_from_dict(Toy, value, "models/toy/settings.json")
    assert str(error.value).splitlines() == [
        "models/toy/settings.json: train.epochs = 'two': expected an integer >= 1 (number of passes over the training data).",
        "models/toy/settings.json: unknown key 'train.decay.rat'. Did you mean 'rate'? Valid keys: rate, skip.",
    ]
    with pytest.raises(UserError, match=r"^settings\.json: the content = \[\]: expected a mapping with the keys model"):
        settings_from_dict(Toy, [], "settings.json")


def schema_accepts(text: str) -> bool:
    schema = json_schema({"toy": Toy})
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid(YAML(typ="safe", pure=True).load(text))


def test_schema_accepts_the_good_file():
    assert schema_accepts(GOOD)
    assert schema_accepts(GOOD.replace("2.0e-5", "3e-05"))


LENIENT = ("version: 0", "version: true", "epochs: 2.0", ".nan", ".inf", "epochs: 1", "epochs: 4")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [slip for slip in SLIPS if "not YAML" not in slip[2] and not slip[1].strip().endswith(LENIENT)],
)
def test_schema_rejects_what_the_loader_rejects(old, new, expected):
    """Except LENIENT: 2.0 is an integer to JSON schema, nan is no JSON, and rules over several keys are Python."""
    assert not schema_accepts(with_line(old, new))


def test_schema_tells_meaning_default_and_choices():
    schema = json_schema({"toy": Toy})
    assert schema["$defs"]["Train"]["properties"]["ema_momentum"] == {
        "default": 0.0,
        "description": "0 switches averaging off",
        "exclusiveMaximum": 1,
        "minimum": 0,
        "type": "number",
    }
    assert schema["$defs"]["Model"]["properties"]["condition"]["enum"] == ["cln", "token", "none"]


def test_schema_keeps_sections_of_the_same_name_apart():
    class Train(Section):
        steps: int

    class Other(Section):
        train: Train

    schema = json_schema({"toy": Toy, "other": Other})
    value = YAML(typ="safe", pure=True).load(
        GOOD.replace("raw:", "raw:\n  other: x") + "other:\n  train:\n    steps: 1\n"
    )
    assert jsonschema.Draft202012Validator(schema).is_valid(value)
    value["other"]["train"]["epochs"] = 1
    assert not jsonschema.Draft202012Validator(schema).is_valid(value)


# Any single slip is found, at its line

VALUES = ["~", "true", "'text'", "-1", "0.5", "[x]", "{x: 1}"]
ROWS = [number for number, line in enumerate(GOOD.splitlines()) if re.match(r" *(- |\w+:)", line)]


@hypothesis_settings(max_examples=150, deadline=None)
@given(row=st.sampled_from(ROWS), letters=st.text("abcxyz_", min_size=1, max_size=4), at=st.integers(0, 12))
def test_any_renamed_key_is_reported_at_its_line(tmp_path_factory, row, letters, at):
    lines = GOOD.splitlines()
    indent, key, rest = re.fullmatch(r"( *)(- |\w+)(.*)", lines[row]).groups()
    if key == "- ":
        return
    renamed = key[:at] + letters + key[at:]
    lines[row] = f"{indent}{renamed}{rest}"
    text = report(tmp_path_factory, lines)
    assert re.search(rf"^params\.yaml:{row + 1}: .*\b{renamed}'", text, re.MULTILINE), text


@hypothesis_settings(max_examples=150, deadline=None)
@given(row=st.sampled_from(ROWS), value=st.sampled_from(VALUES))
def test_any_changed_type_is_reported_at_its_line(tmp_path_factory, row, value):
    lines = GOOD.splitlines()
    indent, key, _ = re.fullmatch(r"( *)(- |\w+: ?)(.*)", lines[row]).groups()
    lines[row] = f"{indent}{key.rstrip()} {value}"
    below = row + 1  # what the key held goes with its value
    while below < len(lines) and len(lines[below]) - len(lines[below].lstrip()) > len(indent):
        del lines[below]
    name = key.strip(" :-")
    fits = {
        "weights": ("~", "'text'"),
        "warmup": ("true",),
        "ema_momentum": ("0.5",),
        "learning_rate": ("0.5",),
        "rate": ("0.5",),
        "skip": ("[x]",),
    }
    is_folder = row == GOOD.splitlines().index("  toy: data/sample/toy")
    if value in fits.get(name, ()) or (is_folder and value == "'text'"):
        return
    found = report(tmp_path_factory, lines)
    at_line = [line for line in found.splitlines() if line.startswith(f"params.yaml:{row + 1}: ")]
    assert at_line, found


def report(tmp_path_factory, lines: list[str]) -> str:
    folder = tmp_path_factory.getbasetemp() / "mutations"
    (folder / "competitions" / "toy").mkdir(parents=True, exist_ok=True)
    path = folder / "params.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_settings("toy", Toy, path, competitions=folder / "competitions")
    return str(error.value).replace(str(path), "params.yaml")


class Ruled(Section):
    low: int
    high: int

    @rule
    def _they_rise(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low={self.low} is above high={self.high}")


class Outer(Section):
    inner: Ruled


def test_a_rule_holds_for_params_and_not_for_what_was_trained_before_there_was_one():
    document = {"inner": {"low": 2, "high": 1}}
    with pytest.raises(UserError, match="low=2 is above high=1"):
        settings_from_dict(Outer, document, "params.yaml")
    assert settings_from_dict(Outer, document, "settings.json", trained=True).inner.low == 2
    assert settings_from_dict(Outer, {"inner": {"low": 1, "high": 1}}, "params.yaml").inner.high == 1
    with pytest.raises(UserError, match="expected an integer"):
        settings_from_dict(Outer, {"inner": {"low": 1.5, "high": 1}}, "settings.json", trained=True)
