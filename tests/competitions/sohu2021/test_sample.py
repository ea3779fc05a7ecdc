"""The bundled sample is what its generator writes, and asks for both texts, the subtask and the meaning of words."""

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline

from competitions.sohu2021 import sample, sample_words
from competitions.sohu2021.baselines import Pairs, tfidf_logistic_regression
from competitions.sohu2021.sample import Event, Pair
from competitions.sohu2021.variants import VARIANTS
from pipelines import sample as command

COMMITTED = Path(__file__).parents[3] / "data" / "sample" / "sohu2021"


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Pair]]:
    return sample.build()


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def labels(pairs: Sequence[Pair]) -> np.ndarray:
    return np.array([pair.label for pair in pairs])


def is_b(pairs: Sequence[Pair]) -> np.ndarray:
    return np.array([pair.variant.kind == "b" for pair in pairs])


def columns(pairs: Sequence[Pair]) -> Pairs:
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    return Pairs(sources, targets, np.array([pair.variant.index for pair in pairs]), labels(pairs))


def official_f1(pairs: Sequence[Pair], predicted: np.ndarray) -> float:
    kind, gold = is_b(pairs), labels(pairs)
    return float(np.mean([f1_score(gold[rows], predicted[rows]) for rows in (~kind, kind)]))


def told_event(text: str) -> Event:
    """Reads an event with the lexicon at hand: the value whose forms occur most often."""
    text = unicodedata.normalize("NFKC", text).replace("\u200b", "")
    values = []
    for lexicon in (sample_words.TOPICS, sample_words.ACTORS, sample_words.ACTIONS):
        counts = {value: sum(text.count(form) for form in forms) for value, forms in lexicon.items()}
        values.append(max(counts, key=counts.__getitem__) if any(counts.values()) else "")
    return Event(*values)


def test_committed_sample_equals_what_the_command_writes(tmp_path):
    assert command.main(["sohu2021", "--out", str(tmp_path)]) == 0
    assert contents(tmp_path) == contents(COMMITTED)


def test_another_seed_gives_another_sample(splits):
    assert sample.build(1)["valid"] != splits["valid"]


def test_command_names_the_nearest_competition(tmp_path, capsys):
    assert command.main(["sohu2012", "--out", str(tmp_path)]) == 1
    assert "Did you mean 'sohu2021'?" in capsys.readouterr().err
    assert not contents(tmp_path)


def test_files_have_the_official_layout(splits):
    files = contents(COMMITTED)
    assert sorted(files) == sorted(f"{v.folder}/{name}" for v in VARIANTS for name in sample.FILES.values())
    for split, name in sample.FILES.items():
        for variant in VARIANTS:
            text = files[f"{variant.folder}/{name}"].decode("utf-8")
            assert "\r" not in text
            assert text.endswith("\n")
            rows = [json.loads(line) for line in text.split("\n")[:-1]]
            assert len(rows) == sample.SIZES[split][variant.length]
            if split == "test":
                assert [row["id"] for row in rows] == [variant.id(number) for number in range(len(rows))]
                assert {tuple(row) for row in rows} == {("source", "target", "id")}
            else:
                assert {tuple(row) for row in rows} == {("source", "target", variant.label_field)}
                assert {row[variant.label_field] for row in rows} == {"0", "1"}
                written = [str(pair.label) for pair in splits[split] if pair.variant == variant]
                assert [row[variant.label_field] for row in rows] == written


def test_sample_is_small_enough_for_git():
    assert sum(map(len, contents(COMMITTED).values())) <= 1_200_000


def test_same_event_implies_same_topic(splits):
    for pair in (pair for pairs in splits.values() for pair in pairs):
        if pair.source_event == pair.target_event:
            assert pair.meaning == 1
        elif pair.source_event.topic == pair.target_event.topic:
            assert pair.meaning == (pair.variant.kind == "a")
        else:
            assert pair.meaning == 0


def test_share_of_positives_is_the_set_one_in_every_variant(splits):
    expected = {"a": sample.SAME_EVENT_SHARE + sample.SAME_TOPIC_SHARE, "b": sample.SAME_EVENT_SHARE}
    for split in ("train", "valid"):
        for variant, group in groupby(splits[split], key=lambda pair: pair.variant):
            assert labels(list(group)).mean() == pytest.approx(expected[variant.kind], abs=0.07)


def test_only_train_has_flipped_labels_and_few(splits):
    assert not any(pair.flipped for split in ("valid", "test") for pair in splits[split])
    assert 0 < np.mean([pair.flipped for pair in splits["train"]]) < 0.03


def test_texts_are_short_or_long_as_the_variant_says(splits):
    def is_long(text: str) -> bool:
        return text.count("。") >= 2

    for pair in splits["train"]:
        assert is_long(pair.source) + is_long(pair.target) == pair.variant.length.count("l")
        assert max(len(pair.source), len(pair.target)) <= 150
    long_sources = [is_long(pair.source) for pair in splits["train"] if pair.variant.length == "sl"]
    assert 0.4 < np.mean(long_sources) < 0.6


def test_every_word_is_met_often_in_train(splits):
    text = "\n".join(pair.source + pair.target for pair in splits["train"])
    for lexicon, number, number_forms in (
        (sample_words.TOPICS, sample.NUM_TOPICS, sample.NUM_TOPIC_FORMS),
        (sample_words.ACTORS, sample.NUM_ACTORS, sample.NUM_OTHER_FORMS),
        (sample_words.ACTIONS, sample.NUM_ACTIONS, sample.NUM_OTHER_FORMS),
    ):
        for forms in list(lexicon.values())[:number]:
            assert min(text.count(form) for form in forms[:number_forms]) >= 100


def test_forms_of_different_values_share_hardly_a_character():
    for lexicon in (sample_words.TOPICS, sample_words.ACTORS, sample_words.ACTIONS):
        values = Counter(character for forms in lexicon.values() for character in set("".join(forms)))
        assert sum(count > 1 for count in values.values()) <= 0.03 * len(values)


def test_dirt_of_the_official_files_occurs(splits):
    train = splits["train"]
    texts = [text for pair in train for text in (pair.source, pair.target)]
    assert any(text.startswith("  ") for text in texts)
    assert any("\u200b" in text for text in texts)
    assert any(emoji in text for text in texts for emoji in sample_words.EMOJI)
    assert any("http" in text for text in texts)
    assert any("\uff10" <= character <= "\uff19" for text in texts for character in text)
    assert any(pair.source == pair.target.strip() for pair in train)
    assert max(Counter((p.variant, p.source, p.target) for p in train).values()) == 2
    of_a, of_b = ({(p.source, p.target) for p in train if p.variant.kind == kind} for kind in "ab")
    assert len(of_a & of_b) > 50


def test_the_label_can_be_read_with_the_lexicon(splits):
    pairs = splits["valid"]
    predicted = []
    for pair in pairs:
        source, target = told_event(pair.source), told_event(pair.target)
        predicted.append(source.topic == target.topic if pair.variant.kind == "a" else source == target)
    assert official_f1(pairs, np.array(predicted)) >= 0.97


@pytest.mark.parametrize("answer", ["topic", "event"])
def test_one_answer_for_both_subtasks_is_not_enough(splits, answer):
    pairs = splits["valid"]
    events = [(pair.source_event, pair.target_event) for pair in pairs]
    predicted = np.array([s.topic == t.topic if answer == "topic" else s == t for s, t in events])
    assert official_f1(pairs, predicted) <= 0.92


@pytest.mark.parametrize("side", ["source", "target"])
def test_one_text_alone_does_not_tell_the_label(splits, side):
    def texts(split: str) -> list[str]:
        return [f"{pair.variant.kind} {getattr(pair, side)}" for pair in splits[split]]

    model = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 2)), LogisticRegression(max_iter=500))
    model.fit(texts("train"), labels(splits["train"]))
    probability = model.predict_proba(texts("valid"))[:, 1]
    kind = is_b(splits["valid"])
    for rows in (kind, ~kind):
        assert roc_auc_score(labels(splits["valid"])[rows], probability[rows]) <= 0.6


def test_surface_similarity_scores_low(splits):
    valid = splits["valid"]
    probability = tfidf_logistic_regression(columns(splits["train"]), columns(valid), 0, 100_000)
    assert official_f1(valid, probability >= 0.5) <= 0.62
    assert official_f1(valid, np.ones(len(valid), bool)) <= 0.53
