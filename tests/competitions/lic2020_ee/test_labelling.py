import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_ee.labelling import SCHEMES, Roles, without_overlaps
from shared.decoding.pointers import Spans
from tests.competitions.lic2020_ee.sentences import ROLES as PAIRS

LENGTH = 9  # [CLS], seven tokens of text, [SEP]
ROLES = Roles.of(PAIRS)  # three, three and two roles


def spans(*columns: tuple[int, int, int, int]) -> Spans:
    """Spans from (row, role, start, end)."""
    return Spans(*np.array(columns, np.int64).reshape(-1, 4).T)


def listed(found: Spans) -> list[tuple[int, ...]]:
    return sorted(tuple(one) for one in np.column_stack(found).tolist())


def inside(rows: int, length: int = LENGTH) -> np.ndarray:
    return np.tile((np.arange(length) > 0) & (np.arange(length) < LENGTH - 1), (rows, 1))


def scores(scheme: str, targets: dict[str, np.ndarray], sure: float = 20.0) -> dict[str, np.ndarray]:
    """Targets as a perfect model's scores."""
    if scheme == "pointer":
        return {name: targets[name].astype(np.float32) for name in ("starts", "ends")}
    count = 17 if scheme == "bio" else 7
    return {"logits": np.where(targets["labels"][..., None] == np.arange(count), sure, 0.0).astype(np.float32)}


def there_and_back(scheme: str, given_spans: Spans, rows: int) -> list[tuple[int, ...]]:
    targets = SCHEMES[scheme].labels(given_spans, rows, LENGTH, ROLES)
    found, confidence = SCHEMES[scheme].spans(scores(scheme, targets), inside(rows), 0.5, ROLES)
    assert len(confidence) == len(found.row)
    return listed(found)


@st.composite
def disjoint_spans(draw):
    rows, found = draw(st.integers(1, 3)), []
    for row in range(rows):
        bounds = sorted(draw(st.sets(st.integers(1, LENGTH - 1), max_size=6)))
        for start, end in itertools.pairwise(bounds):
            if draw(st.booleans()):
                found.append((row, draw(st.integers(0, len(ROLES) - 1)), start, end))
    return spans(*found), rows


@pytest.mark.parametrize("scheme", SCHEMES)
@given(case=disjoint_spans())
def test_disjoint_arguments_come_back_in_every_scheme(scheme, case):
    assert there_and_back(scheme, *case) == listed(case[0])


OVERLAPS = {
    "two types": spans((0, 0, 1, 3), (0, 3, 1, 3), (0, 6, 2, 5)),
    "one type": spans((0, 0, 1, 5), (0, 1, 2, 4)),
    "one role": spans((0, 0, 1, 5), (0, 0, 2, 4)),
}


@pytest.mark.parametrize(
    ("scheme", "case", "want"),
    [
        ("bio", "two types", [(0, 6, 2, 5)]),
        ("bio_per_type", "two types", [(0, 0, 1, 3), (0, 3, 1, 3), (0, 6, 2, 5)]),
        ("pointer", "two types", [(0, 0, 1, 3), (0, 3, 1, 3), (0, 6, 2, 5)]),
        ("bio", "one type", [(0, 0, 1, 5)]),
        ("bio_per_type", "one type", [(0, 0, 1, 5)]),
        ("pointer", "one type", [(0, 0, 1, 5), (0, 1, 2, 4)]),
        ("bio", "one role", [(0, 0, 1, 5)]),
        ("bio_per_type", "one role", [(0, 0, 1, 5)]),
        ("pointer", "one role", [(0, 0, 1, 4), (0, 0, 2, 4)]),  # both take the nearer end
    ],
)
def test_what_each_scheme_keeps_of_overlaps(scheme, case, want):
    assert there_and_back(scheme, OVERLAPS[case], 1) == want


def test_of_overlapping_spans_the_longest_and_then_the_first_stays():
    given_spans = spans((0, 0, 1, 3), (0, 1, 2, 5), (0, 2, 4, 7), (1, 2, 1, 3), (1, 1, 1, 3))
    assert listed(without_overlaps(given_spans, np.zeros(5, int))) == [(0, 1, 2, 5), (1, 1, 1, 3)]


def test_groups_may_overlap():
    given_spans = spans((0, 0, 1, 3), (0, 1, 2, 5))
    assert listed(without_overlaps(given_spans, np.array([0, 1]))) == listed(given_spans)


def test_each_role_has_its_place_in_the_label_set_of_its_type():
    assert ROLES.type_of.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert ROLES.place.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert ROLES.num_labels == [7, 7, 5]
    assert [int(ROLES.index[t, p]) for t, p in zip(ROLES.type_of, ROLES.place, strict=True)] == list(range(8))


def test_labels_by_hand():
    given_spans = spans((0, 1, 1, 3), (0, 7, 2, 4))
    assert SCHEMES["bio"].labels(given_spans, 1, 5, ROLES)["labels"].tolist() == [[0, 3, 4, 0, 0]]
    by_type = SCHEMES["bio_per_type"].labels(given_spans, 1, 5, ROLES)["labels"]
    assert by_type.tolist() == [[[0, 3, 4, 0, 0], [0] * 5, [0, 0, 3, 4, 0]]]
    marks = SCHEMES["pointer"].labels(given_spans, 1, 5, ROLES)
    assert np.argwhere(marks["starts"]).tolist() == [[0, 1, 1], [0, 2, 7]]
    assert np.argwhere(marks["ends"]).tolist() == [[0, 2, 1], [0, 3, 7]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_argument_stands_on_cls_sep_or_padding(scheme):
    length = LENGTH + 2
    given_spans = spans((0, 0, 0, 1), (0, 1, 7, 10), (0, 2, 9, 11))
    targets = SCHEMES[scheme].labels(given_spans, 1, length, ROLES)
    found, _ = SCHEMES[scheme].spans(scores(scheme, targets), inside(1, length), 0.5, ROLES)
    assert listed(found) == ([] if scheme == "pointer" else [(0, 1, 7, 8)])


def test_the_confidence_of_a_label_sequence_is_its_least_sure_label():
    logits = np.zeros((1, LENGTH, 17), np.float32)
    logits[..., 0] = 30
    logits[0, 2:5] = 0
    logits[0, 2, 1], logits[0, 3, 2], logits[0, 4, 2] = np.log([16 * 9, 16 * 4, 16 * 19])  # shares 0.9, 0.8, 0.95
    found, confidence = SCHEMES["bio"].spans({"logits": logits}, inside(1), 0.5, ROLES)
    assert listed(found) == [(0, 0, 2, 5)]
    assert confidence.tolist() == pytest.approx([0.8], rel=1e-5)
    assert listed(SCHEMES["bio"].spans({"logits": logits}, inside(1), 0.81, ROLES)[0]) == []


def test_the_confidence_of_marks_is_the_smaller_one():
    starts, ends = np.zeros((2, 1, LENGTH, len(ROLES)), np.float32)
    starts[0, 2, 4], ends[0, 3, 4], ends[0, 5, 4] = 0.75, 0.5, 0.25
    for threshold, want in ((0.25, [0.5]), (0.5, [0.5]), (0.6, [])):
        found, confidence = SCHEMES["pointer"].spans({"starts": starts, "ends": ends}, inside(1), threshold, ROLES)
        assert confidence.tolist() == want
        assert listed(found) == [(0, 4, 2, 4)][: len(want)]


@pytest.mark.parametrize(("scheme", "sequences"), [("bio", ()), ("bio_per_type", (3,))])
def test_transitions_decide_where_the_logits_do_not(scheme, sequences):
    """B or I of role 0 at token 3, I at 4: only with transitions is the B more likely than the I."""
    count = 17 if scheme == "bio" else 7
    logits = np.zeros((1, *sequences, LENGTH, count), np.float32)
    logits[..., 0] = 9
    where = (0, *(0 for _ in sequences))
    logits[where][3, [0, 1, 2]] = 0, 9, 10
    logits[where][4, [0, 2]] = 0, 9
    transitions = np.zeros((*sequences, count, count), np.float32)
    transitions[..., 0, 2] = -9
    found, _ = SCHEMES[scheme].spans({"logits": logits}, inside(1), 0.01, ROLES)
    assert listed(found) == []
    found, confidence = SCHEMES[scheme].spans({"logits": logits, "transitions": transitions}, inside(1), 0.5, ROLES)
    assert listed(found) == [(0, 0, 3, 5)]
    assert 0.9 < float(confidence[0]) < 1.0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_batch_without_arguments_has_none(scheme):
    assert there_and_back(scheme, spans(), 2) == []
