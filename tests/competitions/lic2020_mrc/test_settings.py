import pytest
from pydantic import ValidationError

from tests.competitions.lic2020_mrc.questions import settings


def refused(**sections) -> str:
    with pytest.raises(ValidationError) as error:
        settings(**sections)
    return str(error.value)


def test_windows_so_far_apart_that_passages_have_gaps_are_refused():
    assert settings(data={"window": 32, "stride": 25, "max_question_length": 4}).data.stride == 25
    message = refused(data={"window": 32, "stride": 26, "max_question_length": 4})
    assert "window=32 leaves 25 tokens for the passage" in message
    assert "windows 26 tokens apart (stride)" in message


def test_a_window_without_room_for_the_passage_is_refused():
    assert "leaves 0 tokens" in refused(data={"window": 32, "stride": 0, "max_question_length": 29})


def test_a_window_longer_than_the_position_table_is_refused_for_bert_alone():
    backbone = {"kind": "bert", "preset": "tiny", "max_positions": 15}
    assert "data.window=16 needs 16 positions" in refused(model={"backbone": backbone})
    assert settings(model={"backbone": backbone | {"kind": "roformer"}})


def test_a_threshold_of_no_answer_needs_a_model_that_learned_it():
    train = settings().train.model_dump()
    assert "needs train.no_answer: true" in refused(predict={"no_answer_threshold": 0.0})
    assert settings(train=train | {"no_answer": True}, predict={"no_answer_threshold": 0.0})


def test_tricks_that_exclude_each_other_are_refused_at_once():
    train = settings().train.model_dump()
    assert "label_smoothing=0.1 has no meaning" in refused(train=train | {"loss": "focal", "label_smoothing": 0.1})
    assert "r_drop=1 compares two passes" in refused(
        train=train | {"tricks": {"r_drop": 1.0}}, model={"backbone": {"preset": "tiny", "dropout": 0.0}}
    )
    assert "last_layers=3, but the backbone has 2" in refused(model={"backbone": {"preset": "tiny"}, "last_layers": 3})
