import numpy as np
import pytest

from shared.text.pieces import Pieces, PieceStore, ranges


class Halves:
    """Cuts each word into characters, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, words: list[str]) -> Pieces:
        self.asked.append(words)
        places = [(place, place + 1) for word in words for place in range(len(word))]
        return Pieces(
            np.array([len(word) for word in words], np.int32),
            np.array([ord(character) for word in words for character in word], np.int32),
            np.array(places, np.int32).reshape(-1, 2),
        )


def test_pieces_come_in_the_order_of_the_words():
    found = PieceStore(Halves())(["ab", "", "c", "ab"])
    assert found.counts.tolist() == [2, 0, 1, 2]
    assert "".join(map(chr, found.ids.tolist())) == "abcab"
    assert found.offsets.tolist() == [[0, 1], [1, 2], [0, 1], [0, 1], [1, 2]]


def test_a_word_is_cut_once():
    halves = Halves()
    store = PieceStore(halves)
    for _ in range(2):
        store(["ab", "c", "ab"])
    store(["d", "c"])
    assert halves.asked == [["ab", "c"], ["d"]]


def test_no_words_have_no_pieces():
    found = PieceStore(Halves())([])
    assert (found.counts.shape, found.ids.shape, found.offsets.shape) == ((0,), (0,), (0, 2))


def test_what_was_remembered_is_forgotten_when_it_grows_too_large(monkeypatch):
    monkeypatch.setattr("shared.text.pieces.CHARACTERS_KEPT", 4)
    halves = Halves()
    store = PieceStore(halves)
    for words in (["abc"], ["de"], ["abc", "f"]):
        found = store(words)
        assert "".join(map(chr, found.ids.tolist())) == "".join(words)
    assert halves.asked == [["abc"], ["de"], ["abc", "f"]]


def test_a_cut_that_fails_leaves_the_store_as_it_was():
    class Fails(Halves):
        def __call__(self, words):
            if "bad" in words:
                raise ValueError
            return super().__call__(words)

    store = PieceStore(Fails())
    for _ in range(2):
        with pytest.raises(ValueError):
            store(["a", "bad"])
    assert store(["a"]).ids.tolist() == [ord("a")]


def test_ranges_follow_each_other():
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert ranges(np.array([], int), np.array([], int)).tolist() == []
