"""Prediction: windows in batches of like length, whatever their questions; then the best spans of each question."""

import keras

from competitions.lic2020_mrc.extraction import AnswerSearch
from competitions.lic2020_mrc.settings import Settings
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.arrays import Split
from shared.task import Labels, Outputs
from shared.training.predict import predict_batches


def infer(network: keras.Model, split: Split, settings: Settings, labels: Labels, label: str | None = None) -> Outputs:
    """Returns for each row its `answer`, its `confidence` and its `n_best` answers: see `AnswerSearch.outputs`.

    Args: network: as made by `build`. label: text of a progress bar, which counts windows; None: no bar.
    """
    windowed = WindowedSplit(split, labels)
    search = AnswerSearch(windowed, settings)
    for units, outputs in predict_batches(network, windowed.lengths, windowed.inputs, settings, label):
        search.add(units, outputs["start_logits"], outputs["end_logits"])
    return search.outputs()
