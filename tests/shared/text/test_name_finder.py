from hypothesis import given
from hypothesis import strategies as st

from shared.text.name_finder import NameFinder


@given(st.sets(st.text("abc", min_size=1, max_size=5)), st.text("abcd", max_size=30))
def test_exactly_the_names_that_stand_in_a_text_are_found(names, text):
    assert NameFinder(names).find(text) == sorted(name for name in names if name in text)


def test_names_may_overlap_and_have_one_character():
    finder = NameFinder(["甲", "甲乙", "乙丙丁", "戊己"])
    assert finder.find("甲乙丙丁") == ["乙丙丁", "甲", "甲乙"]
    assert finder.find("") == []


def test_a_long_text_and_many_names_are_no_trouble():
    names = [f"第{number}号" for number in range(50_000)]
    text = "第7号" + "无关" * 10_000 + "第49999号"
    assert NameFinder(names).find(text) == ["第49999号", "第7号"]
