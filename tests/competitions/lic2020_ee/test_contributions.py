import pytest

from competitions.lic2020_ee.contributions import contributions
from competitions.lic2020_ee.evaluation import score
from competitions.lic2020_ee.task import task
from shared.ablation import statistics
from tests.competitions.lic2020_ee.test_evaluation import LABELS, OUTPUTS, SETTINGS, SPLIT


@pytest.mark.parametrize("figure", task.figures)
def test_the_rows_together_give_the_official_figures(figure):
    shares = contributions(OUTPUTS, SPLIT, SETTINGS, LABELS)[figure]
    assert len(shares) == SPLIT.rows
    assert statistics.figure(shares) == pytest.approx(score(OUTPUTS, SPLIT, SETTINGS, LABELS)[figure])
