import pytest

from competitions.lic2020_mrc.contributions import contributions
from competitions.lic2020_mrc.evaluation import score
from competitions.lic2020_mrc.task import task
from shared.ablation import statistics
from tests.competitions.lic2020_mrc.questions import LABELS, settings
from tests.competitions.lic2020_mrc.test_evaluation import OUTPUTS, SPLIT


@pytest.mark.parametrize("figure", task.figures)
def test_the_rows_together_give_the_official_figures(figure):
    shares = contributions(OUTPUTS, SPLIT, settings(), LABELS)[figure]
    assert len(shares) == SPLIT.rows
    assert statistics.figure(shares) == pytest.approx(score(OUTPUTS, SPLIT, settings(), LABELS)[figure])
