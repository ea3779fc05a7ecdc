from dataclasses import replace

import pytest

from competitions.lic2020_re import data
from competitions.lic2020_re.ceiling import ceiling
from competitions.lic2020_re.data import Example
from competitions.lic2020_re.encoding import encode
from tests.competitions.lic2020_re.sentences import EXAMPLES, FILM, ROLES, raw, settings, triple

NOTHING_LOST = {"cut": 0, "boundary": 0, "not in text": 0, "pairing": 0, "combine": 0}


def of(*examples: Example, **sections):
    """The ceiling on these sentences as valid rows; each must count its losses as the score does."""
    chosen, material = settings(**sections), raw([FILM], examples)
    result = ceiling(material, encode(material, chosen), chosen)
    assert set(result) == {"train", "valid"}
    valid = result["valid"]
    last = {example.text: example for example in examples}.values()
    total = sum(len(set(example.triples)) for example in last)
    assert sum(valid["lost"].values()) == pytest.approx(total * (1 - valid["recall"]))
    return valid


def lost(*examples: Example, **sections) -> dict[str, int]:
    return {reason: count for reason, count in of(*examples, **sections)["lost"].items() if count}


def test_nothing_is_lost_of_well_formed_sentences():
    assert of(*EXAMPLES) == {"f1": 1.0, "precision": 1.0, "recall": 1.0, "lost": NOTHING_LOST}


LINKS = {"backbone": {"kind": "roformer", "preset": "tiny"}, "head": "gplinker"}


def test_links_lose_nothing_and_pair_subjects_inside_subjects_too():
    assert of(*EXAMPLES, model=LINKS)["lost"] == NOTHING_LOST
    example = Example("北岸来信由江雪执导", (triple("北岸", "导演", "江雪"), triple("北岸来信", "导演", "江雪")))
    assert lost(example, model=LINKS) == {}
    assert lost(FILM, model=LINKS, predict={"most_spans": 1}) == {"pairing": 2}


def test_the_original_rule_loses_all_but_one_object():
    # Of two 主演 and of two roles one each.
    got = of(FILM, ROLES, predict={"combine": "original"})
    assert got["lost"] == NOTHING_LOST | {"combine": 2}
    assert (got["precision"], got["recall"]) == (1.0, pytest.approx(4 / 6))


def test_what_is_behind_the_cut_is_lost():
    assert lost(FILM, data={"max_length": 14}) == {"cut": 1}


def test_what_ends_inside_a_token_is_lost():
    korean = Example("가나由江雪执导", (triple("가", "导演", "江雪"),))
    assert lost(korean) == {"boundary": 1}  # an unknown word is one token
    assert lost(Example("ab由江雪执导", (triple("a", "导演", "江雪"),))) == {}  # every letter is known alone


def test_what_the_text_does_not_hold_is_lost():
    assert lost(Example("北岸由江雪执导", (triple("南岸", "导演", "江雪"),))) == {"not in text": 1}


def test_a_subject_that_begins_as_another_is_lost():
    example = Example("北岸来信由江雪执导", (triple("北岸", "导演", "江雪"), triple("北岸来信", "导演", "江雪")))
    assert lost(example) == {"pairing": 1}


def test_a_triple_put_together_otherwise_is_lost():
    # The role of no work takes the only work there is.
    example = Example(
        "苏禾演小满和阿月，片名白塔", (triple("苏禾", "饰演", "小满"), triple("苏禾", "饰演", "阿月", inWork="白塔"))
    )
    assert lost(example) == {"combine": 1}


def test_case_and_title_marks_count_as_little_as_in_the_score():
    example = Example("《ABC》由江雪执导", (triple("《ABC》", "导演", "江雪"), triple("ABC", "导演", "江雪")))
    got = of(example)
    assert (got["f1"], sum(got["lost"].values())) == (1.0, 0)


def test_of_equal_texts_the_last_counts():
    first = Example(FILM.text, (triple("南岸", "导演", "江雪"),))
    assert lost(first, FILM) == {}
    assert lost(FILM, first) == {"not in text": 1}


def test_sentences_without_triples_have_a_ceiling_of_zero():
    got = of(EXAMPLES[2])
    assert (got["f1"], got["lost"]) == (0.0, NOTHING_LOST)


@pytest.mark.parametrize(
    ("rule", "max_length", "low", "high"),
    [("complete", 256, 0.997, 1.0), ("original", 256, 0.92, 0.945), ("complete", 128, 0.985, 0.99)],
)
def test_on_real_lines_it_is_what_was_measured(shared_data, rule, max_length, low, high):
    chosen = settings(data={"max_length": max_length}, text={"min_count": 2}, predict={"combine": rule})
    material = data.read(shared_data / "data" / "duie2", chosen.data)
    material = replace(material, train=material.train[:1000], test=[])
    for figures in ceiling(material, encode(material, chosen), chosen).values():
        assert low <= figures["f1"] <= high
        assert figures["lost"]["not in text"] == 0
