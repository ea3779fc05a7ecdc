import subprocess
from pathlib import Path

import keras
import pytest

from shared.training import provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    for name in ("shared/a.py", "pipelines/b.py", "competitions/toy/c.py", "competitions/other/d.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_code_version_follows_sources_and_their_names(checkout):
    first = provenance.code_version("toy")
    assert len(first) == 64
    assert provenance.code_version("toy") == first
    (checkout / "shared" / "a.py").rename(checkout / "shared" / "z.py")
    renamed = provenance.code_version("toy")
    (checkout / "competitions" / "toy" / "c.py").write_text("# other\n")
    assert len({first, renamed, provenance.code_version("toy")}) == 3


def test_the_code_version_leaves_out_other_competitions_and_other_files(checkout):
    first = provenance.code_version("toy")
    (checkout / "competitions" / "other" / "d.py").write_text("# other\n")
    (checkout / "shared" / "README.md").write_text("text\n")
    (checkout / "shared" / "a.pyc").write_bytes(b"\0")
    assert provenance.code_version("toy") == first


def test_the_commit_is_named_with_its_changes(checkout):
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    commit = git(checkout, "rev-parse", "HEAD")
    assert provenance.git_commit() == commit
    (checkout / "untracked").write_text("text")
    assert provenance.git_commit() == commit
    (checkout / "shared" / "a.py").write_text("# changed\n")
    assert provenance.git_commit() == f"{commit}+changes"


def test_without_git_or_a_commit_the_commit_is_empty(checkout, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(checkout.parent))
    assert provenance.git_commit() == ""
    git(checkout, "init", "-q")
    assert provenance.git_commit() == ""
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit() == ""


def test_the_versions_of_what_computes_are_named():
    assert provenance.software()["keras"] == keras.__version__
