"""A project of seconds for the tests of the stages: its own params.yaml and five hand-written lines a file."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from competitions.sohu2021.variants import VARIANTS, Variant
from tests.competitions.sohu2021.layout import line, put
from tests.conftest import REPOSITORY

NAME = "sohu2021"
RAW = f"data/sample/{NAME}"

PARAMS = """\
version: 1
raw:
  sohu2021: data/sample/sohu2021
sohu2021:
  data:
    max_length: 32
  text:
    vocabulary:
    min_count: 1
  model:
    backbone:
      pretrained:
      kind: roformer
      preset: tiny
      dropout: 0.1
      attention_dropout: 0.0
    condition: cln
    condition_dim: 4
  train:
    seed: 0
    epochs: 2
    batch_size: 8
    bucket_lengths:
      - 32
    learning_rate: 1.0e-3
    ema_momentum: 0.9
  hardware:
    precision: float32
    predict_batch_size: 16
  evaluate:
    baseline_rows: 100
  predict:
    threshold_a: 0.5
    threshold_b: 0.45
"""

PAIRS = [
    ("今天下雨了，出门带伞。", "今日有雨", 1),
    ("球队赢下决赛", "新手机开售，价格下调", 0),
    ("Ａ股收涨１％📈", "A股今日上涨", 1),
    ("地铁二号线恢复运行", "明星出席电影节\u3000红毯", 0),
    ("明天放晴，气温回升到20度", "明天转晴", 1),
]


def write_raw(folder: Path, ending: str = "") -> Path:
    """Writes the official layout, five lines a file; `ending` is added to each source."""
    for variant in VARIANTS:
        (folder / variant.folder).mkdir(parents=True)
        for file in ("train.txt", "valid.txt"):
            put(folder, variant, file, [_line(variant, i, ending, label=PAIRS[i][2]) for i in range(5)])
        put(folder, variant, "test_with_id.txt", [_line(variant, i, ending, number=i) for i in range(5)])
    return folder


def _line(variant: Variant, index: int, ending: str, **fields: int) -> str:
    source, target, _ = PAIRS[(index + variant.index) % 5]
    if "label" in fields:
        fields["label"] = PAIRS[(index + variant.index) % 5][2]
    return line(variant, source=source + ending, target=target, **fields)


def write_project(folder: Path) -> Path:
    """Writes params.yaml and raw files where stages can run with the checkout on PYTHONPATH."""
    (folder / "competitions" / NAME).mkdir(parents=True)  # params.yaml is checked against the folders beside it
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    write_raw(folder / RAW)
    return folder


def set_param(folder: Path, old: str, new: str) -> None:
    """Replaces a line of params.yaml."""
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    (folder / "params.yaml").write_text(text.replace(old, new), encoding="utf-8")


def environment(**changes: str) -> dict[str, str]:
    """Returns the environment in which `python` is the interpreter of these tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "DVC_", "PYTEST_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), ours.get("PATH", "")])
    defaults = {"PATH": path, "PYTHONUTF8": "1", "DVC_NO_ANALYTICS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
    return ours | defaults | changes


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Starts Python in the folder, with the checkout's modules."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=str(REPOSITORY)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Waits for the end and returns standard output; the run must have succeeded."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, f"{out}\n{err}"
    return out


def files(folder: Path, *names: str) -> dict[str, bytes]:
    """Returns the bytes of the named files, and of all files in the named folders."""
    found: dict[str, bytes] = {}
    for name in names:
        path = folder / name
        chosen: Sequence[Path] = sorted(path.rglob("*")) if path.is_dir() else [path]
        found |= {file.relative_to(folder).as_posix(): file.read_bytes() for file in chosen if file.is_file()}
    return found
