import pytest

from competitions.lic2020_re.contributions import contributions
from competitions.lic2020_re.data import Example
from competitions.lic2020_re.evaluation import score
from competitions.lic2020_re.task import task
from shared.ablation import statistics
from tests.competitions.lic2020_re.sentences import FILM, LABELS, settings, split_of
from tests.competitions.lic2020_re.test_evaluation import GOLD, OUTPUTS, SPLIT


@pytest.mark.parametrize("figure", task.figures)
def test_the_rows_together_give_the_official_figures(figure):
    shares = contributions(OUTPUTS, SPLIT, settings(), LABELS)[figure]
    assert len(shares) == SPLIT.rows
    assert statistics.figure(shares) == pytest.approx(score(OUTPUTS, SPLIT, settings(), LABELS)[figure])


def test_of_equal_texts_the_last_counts_as_in_the_score():
    split, outputs = split_of(Example(FILM.text, ()), FILM), {"triples": [GOLD[0][:1], GOLD[0][:2]]}
    shares = contributions(outputs, split, settings(), LABELS)["f1"]
    assert not shares[0].any()
    assert statistics.figure(shares) == pytest.approx(score(outputs, split, settings(), LABELS)["f1"])
