import pytest

from tests.competitions.lic2020_re.sentences import settings

BERT = {"kind": "bert", "preset": "tiny", "max_positions": 32}


def test_bert_needs_a_position_for_each_token():
    assert settings(model={"backbone": BERT}, data={"max_length": 32}).data.max_length == 32
    with pytest.raises(ValueError, match=r"max_length=33 needs 33 positions, the backbone has 32"):
        settings(model={"backbone": BERT}, data={"max_length": 33})


def test_rotary_positions_have_no_limit():
    backbone = BERT | {"kind": "roformer"}
    assert settings(model={"backbone": backbone}, data={"max_length": 4096}).data.max_length == 4096
