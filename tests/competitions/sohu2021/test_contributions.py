import pytest

from competitions.sohu2021.contributions import contributions
from competitions.sohu2021.evaluation import score
from competitions.sohu2021.task import task
from shared.ablation import statistics
from tests.competitions.sohu2021.test_evaluation import OUTPUTS, SPLIT, thresholds


@pytest.mark.parametrize("figure", task.figures)
def test_the_rows_together_give_the_official_figures(figure):
    shares = contributions(OUTPUTS, SPLIT, thresholds(), {})[figure]
    assert len(shares) == SPLIT.rows
    assert statistics.figure(shares) == pytest.approx(score(OUTPUTS, SPLIT, thresholds(), {})[figure])
