from functools import partial

import pytest

from competitions.lic2020_ee import model as ee
from competitions.lic2020_mrc import model as mrc
from competitions.lic2020_re import model as re
from competitions.sohu2021 import model as sohu
from tests.competitions.lic2020_ee import sentences as ee_sentences
from tests.competitions.lic2020_mrc import questions
from tests.competitions.lic2020_re import sentences as re_sentences
from tests.competitions.sohu2021.tricks import tricks

VOCABULARY = ee_sentences.vocabulary("a")
OPTIONS = {"backbone": {"preset": "tiny"}, "last_layers": 2}
BUILDS = {
    "events": partial(ee.build, ee_sentences.settings(model=OPTIONS), VOCABULARY, ee_sentences.labels("bio")),
    "reading": partial(mrc.build, questions.settings(model=OPTIONS), questions.vocabulary(), questions.LABELS),
    "matching": partial(sohu.build, tricks(model={"last_layers": 2}), VOCABULARY, {}),
}
for head in ("pointer", "gplinker"):
    chosen = re_sentences.settings(model=OPTIONS | {"head": head})
    BUILDS[f"relations, {head}"] = partial(re.build, chosen, VOCABULARY, re_sentences.LABELS)


@pytest.mark.parametrize("name", BUILDS)
def test_each_head_reads_as_many_last_layers_as_the_settings_say(name):
    assert BUILDS[name]().get_layer("backbone").last_layers == 2
