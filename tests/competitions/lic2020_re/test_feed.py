from collections import Counter

import numpy as np
import pytest

from competitions.lic2020_re.data import Example
from competitions.lic2020_re.feed import feed, gold_subjects, object_labels, sample_subjects, subject_labels
from competitions.lic2020_re.spans import spans_of
from shared.arrays import Split
from shared.decoding.pointers import pair_spans
from tests.competitions.lic2020_re.sentences import EXAMPLES, FILM, LABELS, NUMBER, ROLES, settings, split_of, triple

ALL = np.arange(len(EXAMPLES))
WIDTH = 40
MODES = [(per_step, sampling) for per_step in ("one", "all") for sampling in ("separate", "paired")]


def batch(units=ALL, seed=0, split: Split | None = None, subjects_per_step="all", subject_sampling="paired"):
    train = {"subjects_per_step": subjects_per_step, "subject_sampling": subject_sampling}
    made = feed(split or split_of(*EXAMPLES), settings(train=train), LABELS)
    return made.batch(np.asarray(units), WIDTH, np.random.default_rng(seed))


def gold(*examples: Example):
    split = split_of(*examples)
    return gold_subjects(*spans_of(split, np.arange(split.rows)), split.rows)


def drawn(seed: int, all_subjects: bool, separate: bool, example: Example = ROLES):
    """The subjects of a step that count, as (start, end)."""
    subjects, asked = sample_subjects(*gold(example), all_subjects, separate, np.random.default_rng(seed))
    return [tuple(span) for span in subjects[0][asked[0]].tolist()]


def test_the_lengths_are_those_of_the_rows():
    split = split_of(*EXAMPLES)
    np.testing.assert_array_equal(feed(split, settings(), LABELS).lengths, split.ragged("token_ids").lengths)


@pytest.mark.parametrize(("per_step", "sampling"), MODES)
def test_inputs_and_targets_have_the_documented_shapes(per_step, sampling):
    inputs, targets = batch(subjects_per_step=per_step, subject_sampling=sampling)
    rows, count, relations = 3, inputs["subjects"].shape[1], len(NUMBER)
    assert {name: array.shape for name, array in inputs.items()} == {
        "token_ids": (rows, WIDTH),
        "subjects": (rows, count, 2),
    }
    assert {name: array.shape for name, array in targets.items()} == {
        "token_mask": (rows, WIDTH),
        "subject_labels": (rows, WIDTH, 2),
        "subject_mask": (rows, count),
        "object_labels": (rows, count, WIDTH, 2 * relations),
    }
    assert {array.dtype for array in inputs.values()} == {np.dtype("int32")}
    assert {array.dtype for array in targets.values()} == {np.dtype("uint8")}


def test_the_token_mask_covers_the_real_tokens():
    inputs, targets = batch()
    np.testing.assert_array_equal(targets["token_mask"], inputs["token_ids"] != 0)


def test_labels_of_one_sentence_worked_out_by_hand():
    example = Example("北岸由江雪执导，陆平演", (triple("北岸", "导演", "江雪"), triple("北岸", "主演", "陆平")))
    inputs, targets = batch([0], split=split_of(example))
    assert inputs["subjects"].tolist() == [[[1, 2]]]  # first and last token
    assert np.argwhere(targets["subject_labels"][0]).tolist() == [[1, 0], [2, 1]]
    director, actor = NUMBER["导演", "@value"], NUMBER["主演", "@value"]
    want = [[4, 2 * director], [5, 2 * director + 1], [9, 2 * actor], [10, 2 * actor + 1]]
    assert np.argwhere(targets["object_labels"][0, 0]).tolist() == want


def test_the_labels_decode_to_the_spans_they_were_made_of():
    split = split_of(*EXAMPLES)
    spans, row = spans_of(split, ALL)
    subjects, is_gold = gold_subjects(spans, row, 3)
    labels = object_labels(spans, row, subjects, WIDTH, len(NUMBER))
    want = {(int(r), *map(int, span)) for r, span in zip(row, spans, strict=True)}
    found = set()
    for number in range(subjects.shape[1]):
        for r, relation, start, end in zip(
            *pair_spans(labels[:, number, :, 0::2], labels[:, number, :, 1::2]), strict=True
        ):
            found.add((int(r), *subjects[r, number].tolist(), int(start), int(end), int(relation)))
    assert found == want
    marks = subject_labels(spans, row, 3, WIDTH)
    heads = {
        (int(r), int(start), int(end))
        for r, _, start, end in zip(*pair_spans(marks[..., :1], marks[..., 1:]), strict=True)
    }
    assert heads == {one[:3] for one in want}
    assert is_gold.sum() == len(heads)


def test_a_span_that_is_no_subject_has_no_objects():
    spans, row = spans_of(split_of(FILM), np.array([0]))
    labels = object_labels(spans, row, np.array([[[2, 4], [2, 3], [3, 4]]]), WIDTH, len(NUMBER))
    assert labels.sum(axis=(2, 3)).tolist() == [[6, 0, 0]]


def test_subjects_are_distinct_sorted_and_padded():
    subjects, is_gold = gold(*EXAMPLES)
    assert subjects.tolist() == [[[2, 4], [0, 0]], [[1, 3], [5, 7]], [[0, 0], [0, 0]]]
    assert is_gold.tolist() == [[True, False], [True, True], [False, False]]


def test_one_paired_subject_is_drawn_evenly_from_the_gold_ones():
    counts = Counter(tuple(drawn(seed, all_subjects=False, separate=False)) for seed in range(200))
    assert set(counts) == {((1, 3),), ((5, 7),)}
    assert 70 < counts[((1, 3),)] < 130


def test_start_and_end_drawn_apart_give_spans_that_are_no_subject_too():
    counts = Counter(tuple(drawn(seed, all_subjects=False, separate=True)) for seed in range(400))
    # Start 1 has two ends behind it, start 5 one: 1/4, 1/4 and 1/2.
    assert set(counts) == {((1, 3),), ((1, 7),), ((5, 7),)}
    assert 70 < counts[((1, 7),)] < 130
    assert 160 < counts[((5, 7),)] < 240


def test_all_subjects_come_in_order():
    assert drawn(0, all_subjects=True, separate=False) == [(1, 3), (5, 7)]


def test_all_subjects_and_one_drawn_apart_that_counts_if_it_is_none_of_them():
    counts = Counter(tuple(drawn(seed, all_subjects=True, separate=True)) for seed in range(200))
    assert set(counts) == {((1, 3), (5, 7)), ((1, 3), (5, 7), (1, 7))}
    assert 30 < counts[((1, 3), (5, 7), (1, 7))] < 70


def test_the_number_of_subjects_is_filled_up_to_a_power_of_two():
    text = "甲由乙执导丙由丁执导戊由己执导"
    example = Example(text, tuple(triple(text[at], "导演", text[at + 2]) for at in (0, 5, 10)))
    inputs, targets = batch([0], split=split_of(example))
    assert inputs["subjects"].tolist() == [[[1, 1], [6, 6], [11, 11], [0, 0]]]
    assert targets["subject_mask"].tolist() == [[1, 1, 1, 0]]
    assert batch([0], split=split_of(example), subject_sampling="separate")[1]["subject_mask"].shape == (1, 4)


@pytest.mark.parametrize(("per_step", "sampling"), MODES)
def test_a_sentence_without_a_triple_trains_the_subject_head_alone(per_step, sampling):
    _, targets = batch([2, 0], subjects_per_step=per_step, subject_sampling=sampling)
    assert not targets["subject_mask"][0].any()
    assert not targets["object_labels"][0].any()
    assert not targets["subject_labels"][0].any()
    assert targets["token_mask"][0].any()
    assert targets["subject_mask"][1].any()


@pytest.mark.parametrize(("per_step", "sampling"), MODES)
def test_batches_without_any_triple_or_row_are_valid(per_step, sampling):
    for units in ([2], []):
        _, targets = batch(np.array(units, int), subjects_per_step=per_step, subject_sampling=sampling)
        assert len(targets["object_labels"]) == len(units)
        assert not targets["object_labels"].any()


def test_a_row_may_stand_in_a_batch_twice():
    _, targets = batch([1, 0, 1])
    for array in targets.values():
        np.testing.assert_array_equal(array[0], array[2])


def test_the_same_chance_gives_the_same_batch_and_another_another_one():
    options = {"units": [1] * 8, "subjects_per_step": "one", "subject_sampling": "separate"}
    first, second, third = (batch(seed=seed, **options)[0]["subjects"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)
