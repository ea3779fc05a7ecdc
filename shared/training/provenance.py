"""Where a result comes from: code, data, software and hardware."""

import hashlib
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("competitions", "pipelines", "shared", "dvc.yaml", "params.yaml", "requirements.lock")


def code_version(name: str) -> str:
    """Returns a SHA-256 over the sources that shape competition `name`'s results, the same in every checkout."""
    digest = hashlib.sha256()
    for folder in ("shared", "pipelines", f"competitions/{name}"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def git_commit() -> str:
    """Returns the commit checked out, with `+changes` if code or params differ from it; empty outside of Git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "--untracked-files=no", "--", *CODE) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def software() -> dict[str, str]:
    """Returns the versions of the packages that compute."""
    import keras  # takes seconds

    return {package: version(package) for package in ("keras", keras.config.backend(), "numpy", "tokenizers")}


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout.strip()
