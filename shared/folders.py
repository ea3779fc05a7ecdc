"""Where the stages put things; `dvc.yaml` names the same paths."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """The folders of one competition, relative to the checkout: the working directory of every stage."""

    name: str

    @property
    def prepared(self) -> Path:
        """Arrays, vocabulary, label schema."""
        return Path("data/prepared", self.name)

    @property
    def model(self) -> Path:
        """The trained model."""
        return Path("models", self.name)

    @property
    def results(self) -> Path:
        """Small text files kept in Git: metrics, curves, the data report."""
        return Path("results", self.name)

    @property
    def valid(self) -> Path:
        """The answers on the validation rows, in the form of a submission; not in Git."""
        return self.results / "valid"

    @property
    def submission(self) -> Path:
        """The submission and its manifest."""
        return Path("submissions", self.name)

    def checkpoints(self, fingerprint: str) -> Path:
        """State of an unfinished run; ignored by Git and DVC, removed when the run ends well."""
        return Path("checkpoints", self.name, fingerprint)
