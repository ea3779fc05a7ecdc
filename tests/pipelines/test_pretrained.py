"""Every competition from a published checkpoint, in each format, to a submission made by the model folder alone."""

import shutil
from pathlib import Path

import pytest
import ruamel.yaml

from shared.files import read_json
from tests.conftest import REPOSITORY
from tests.pipelines import project
from tests.pipelines.lic2020 import NAMES, write_raw
from tests.pipelines.project import finish, start
from tests.shared.pretrained import published
from tests.shared.pretrained.test_parity import WRITERS

pytestmark = pytest.mark.slow

ALL = ("sohu2021", *NAMES)
RUNS = {  # architectures of every family, each competition in each format
    "safetensors": dict(zip(ALL, ("roformer", "bert", "nezha", "roformer_v2"), strict=True)),
    "torch": dict(zip(ALL, ("wobert", "electra_discriminator", "roformer", "albert"), strict=True)),
    "tensorflow": dict(zip(ALL, ("albert_zh", "albert_groups", "bert", "electra_generator"), strict=True)),
}

TRAIN = """
import sys
from pipelines import prepare, train
for name in sys.argv[1:]:
    assert prepare.main([name]) == 0
    assert train.main([name]) == 0
"""
PREDICT = """
import sys
from pipelines import evaluate, predict
for name in sys.argv[1:]:
    assert evaluate.main([name]) == 0
    assert predict.main([name]) == 0
"""


def write_project(folder: Path, form: str) -> Path:
    """Writes our own params.yaml with a checkpoint named in each block, the raw files and the checkpoints."""
    yaml = ruamel.yaml.YAML()
    params = yaml.load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    params["raw"] = {name: f"raw/{name}" for name in ALL}
    for name, fixture in RUNS[form].items():
        (folder / "competitions" / name).mkdir(parents=True)
        if name == "sohu2021":
            project.write_raw(folder / "raw" / name)
        else:
            write_raw(name, folder / "raw" / name)
        WRITERS[form](folder / "pretrained" / name, fixture)
        block = params[name]
        block["model"]["backbone"] |= {"pretrained": f"pretrained/{name}", "hierarchical_alpha": 0.4}
        block["train"] |= {"epochs": 1, "batch_size": 8}
        if name == "lic2020_mrc":  # the tables of the fixtures have 16 places, with hierarchical positions 256
            block["data"] |= {"window": 128, "stride": 32}
        else:
            block["data"]["max_length"] = 128
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    return folder


@pytest.mark.parametrize("form", RUNS)
def test_every_competition_trains_from_a_checkpoint_and_its_model_loads_alone(form, tmp_path):
    folder = write_project(tmp_path, form)
    told = finish(start(folder, "-c", TRAIN, *ALL))
    shutil.rmtree(folder / "pretrained")
    finish(start(folder, "-c", PREDICT, *ALL))
    for name, fixture in RUNS[form].items():
        settings = read_json(folder / "models" / name / "settings.json")["settings"]
        assert settings["model"]["backbone"]["architecture"]["hidden_dim"] == published.config(fixture)["hidden_size"]
        provenance = read_json(folder / "models" / name / "provenance.json")
        assert len(provenance["pretrained"]["sha256"]) >= 1
        assert (folder / "models" / name / "vocab.txt").read_bytes() == (
            published.FIXTURES / fixture / "vocab.txt"
        ).read_bytes()
        assert read_json(folder / "submissions" / name / "manifest.json")["rows"] > 0
    assert "matched" in told


def test_a_wrong_kind_ends_before_any_work(tmp_path):
    folder = write_project(tmp_path, "safetensors")
    text = (folder / "params.yaml").read_text(encoding="utf-8").replace("kind: auto", "kind: albert")
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    process = start(folder, "-m", "pipelines.prepare", "lic2020_re")
    _, error = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "albert" in error
    assert "Traceback" not in error
    assert not (folder / "data").exists()
