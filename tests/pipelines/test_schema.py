"""pipelines.schema: the file beside params.yaml is written, and checked, from the models of the competitions."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from pydantic import Field, PositiveInt

from pipelines import schema
from shared.settings import Section


class Toy(Section):
    epochs: PositiveInt = Field(description="训练轮数")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with params.yaml for one competition whose settings are `Toy`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "competitions" / "toy").mkdir(parents=True)
    Path("params.yaml").write_text("version: 1\nraw:\n  toy: data\ntoy:\n  epochs: 3\n", encoding="utf-8")
    task = ModuleType("shared.task")
    task.load_task = lambda name: SimpleNamespace(settings=Toy)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shared.task", task)
    return tmp_path


def test_writes_the_schema_of_all_competitions(project):
    assert schema.main([]) == 0
    text = (project / "params.schema.json").read_text(encoding="utf-8")
    assert json.loads(text)["properties"]["toy"] == {"$ref": "#/$defs/Toy"}
    assert "训练轮数" in text
    assert text.endswith("}\n")
    assert sorted(path.name for path in project.iterdir()) == ["competitions", "params.schema.json", "params.yaml"]


def test_check_passes_only_on_the_written_file(project, capsys):
    assert schema.main(["--check"]) == 1
    assert not (project / "params.schema.json").exists()
    assert capsys.readouterr().err.startswith("params.schema.json: out of date. Run `python -m pipelines.schema`")
    assert schema.main([]) == 0
    assert schema.main(["--check"]) == 0
    (project / "params.schema.json").write_text("{}\n", encoding="utf-8")
    assert schema.main(["--check"]) == 1
    assert (project / "params.schema.json").read_text(encoding="utf-8") == "{}\n"


def test_a_slip_in_raw_is_told_without_a_trace(project, capsys):
    Path("params.yaml").write_text("version: 1\nraw:\n  toi: data\ntoy:\n  epochs: 3\n", encoding="utf-8")
    assert schema.main([]) == 1
    assert capsys.readouterr().err == (
        "params.yaml:3: 'toi' in raw: there is no folder competitions/toi. Did you mean 'toy'? Competitions: toy.\n"
    )


def test_the_committed_schema_is_up_to_date(monkeypatch, capsys):
    root = Path(schema.__file__).parents[1]
    monkeypatch.chdir(root)
    assert schema.main(["--check"]) == 0, capsys.readouterr().err
    first = (root / "params.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=params.schema.json"
