"""The command line over the fixtures of tests/data/backbones and the bundled samples."""

import json

import numpy as np
import pytest

from pipelines import vocabulary as command
from shared.pretrained.load import load_encoder
from shared.settings import load_settings, raw_folders
from shared.task import load_task
from shared.text.sources import example_texts
from shared.text.units import tokenizer_for
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary, learn_vocabulary
from shared.text.vocabulary_tools import token_counts, trim
from tests.conftest import to_numpy
from tests.shared.pretrained import published

BERT = published.FIXTURES / "bert"
NAMES = ("sohu2021", "lic2020_re", "lic2020_ee", "lic2020_mrc")
TOKEN_FIELDS = ("token_ids", "question_ids", "passage_ids")


@pytest.fixture
def texts(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("我们在北京大学\n北京天气好，1a\n北京大学的天气\n", encoding="utf-8")
    return file


def call(*arguments):
    return command.main([str(argument) for argument in arguments])


def report_in(folder):
    return json.loads((folder / "vocabulary_report.json").read_text(encoding="utf-8"))


def tokens_in(folder):
    return Vocabulary.load(folder / "vocab.txt").tokens


def test_trim_writes_a_smaller_checkpoint_and_says_what_unseen_text_loses(tmp_path, texts, capsys):
    out = tmp_path / "out"
    assert call("trim", BERT, out, "--texts", texts, "--only-used") == 0
    assert tokens_in(out) == [*SPECIAL_TOKENS, *"的在北京天气好大学我们，1", "##a"]
    report = report_in(out)
    assert report["tool"] == "trim"
    assert report["texts"] == {str(texts): {"lowercase": True, "units": "char"}}
    assert report["tokens"] == {"before": 48, "after": 19}
    assert report["coverage"] == {"before": 1.0, "after": 1.0}
    assert report["parameters"]["before"] - report["parameters"]["after"] == (48 - 19) * (24 + 1)
    said = capsys.readouterr()
    assert "48 -> 19 tokens" in said.out
    assert "Of unseen text like them about" in said.err


def test_trim_keeps_single_characters_for_unseen_text_unless_told_otherwise(tmp_path, texts):
    assert call("trim", BERT, tmp_path / "out", "--texts", texts) == 0
    assert {"国", "。", "2", "##b"} < set(tokens_in(tmp_path / "out"))
    assert not {"##京", "deep", "[unused1]"} & set(tokens_in(tmp_path / "out"))


def test_outputs_for_the_texts_are_those_of_the_full_checkpoint(tmp_path, texts):
    assert call("trim", BERT, tmp_path / "out", "--texts", texts, "--only-used") == 0
    hidden = []
    for folder in (BERT, tmp_path / "out"):
        tokenizer = tokenizer_for(Vocabulary.load(folder / "vocab.txt"), command.text_settings())
        ids = tokenizer.encode_ids(texts.read_text(encoding="utf-8").splitlines())
        lengths = np.array([[len(row)] for row in ids])
        padded = np.stack([np.pad(row, (0, lengths.max() - len(row))) for row in ids]).astype(np.int32)
        mask = np.arange(padded.shape[1]) < lengths
        model = load_encoder(folder).model
        inputs = {"token_ids": padded, "segment_ids": np.zeros_like(padded), "padding_mask": mask}
        hidden.append(to_numpy(model(inputs, training=False)["hidden"]))
    np.testing.assert_array_equal(*hidden)


@pytest.mark.parametrize("name", NAMES)
def test_all_that_a_competition_feeds_to_its_encoder_survives_a_trim_to_its_texts(tmp_path, name):
    task = load_task(name)
    settings = load_settings(name, task.settings)
    raw = task.read(raw_folders()[name], settings.data)
    learned = learn_vocabulary(example_texts(raw), 1, 10**6, settings.text.lowercase)
    full = Vocabulary([*learned.tokens, "天王", "[unused1]", "##龘"])
    full.save(tmp_path / "vocab.txt")
    tokenizer = tokenizer_for(full, settings.text)
    change = trim(full, token_counts(example_texts(raw), tokenizer, len(full)), keep_characters=False)
    assert len(change.tokens) < len(full)
    text = settings.text.model_copy(update={"vocabulary": str(tmp_path / "vocab.txt")})
    splits = task.encode(raw, settings.model_copy(update={"text": text})).splits
    fields = [split.ragged(field) for split in splits.values() for field in split if field in TOKEN_FIELDS]
    assert len(fields) >= 3
    used = np.unique(np.concatenate([field.values for field in fields]))
    assert set(used.tolist()) <= set(change.sources.values.tolist())


def test_trim_takes_all_texts_of_competitions(tmp_path):
    assert call("trim", BERT, tmp_path / "out", "--competition", "sohu2021", "lic2020_re", "--only-used") == 0
    report = report_in(tmp_path / "out")
    assert list(report["texts"]) == ["sohu2021", "lic2020_re"]
    assert report["unseen_text"]["tokens"] > 300_000


def test_extend_adds_words_at_the_end_with_the_mean_of_their_characters(tmp_path, texts, capsys):
    out = tmp_path / "out"
    assert call("extend", BERT, out, "--texts", texts, "--min-count", "2", "--words", "2") == 0
    old, new = tokens_in(BERT), tokens_in(out)
    assert new[: len(old)] == old
    assert new[len(old) :] == list(report_in(out)["added"]["words"])
    assert set(new[len(old) :]) == {"北京大学", "天气"}
    before, after = (
        to_numpy(load_encoder(each).model.get_layer("backbone").embedding.token_table) for each in (BERT, out)
    )
    np.testing.assert_array_equal(after[: len(old)], before)
    weather = (before[old.index("天")] + before[old.index("气")]) / 2
    np.testing.assert_allclose(after[new.index("天气")], weather, rtol=1e-6)
    assert "text.units: auto now means word" in capsys.readouterr().err


def test_extended_vocabulary_is_used_by_word_units(tmp_path, texts):
    assert call("extend", BERT, tmp_path / "out", "--texts", texts, "--min-count", "2") == 0
    vocabulary = Vocabulary.load(tmp_path / "out" / "vocab.txt")
    tokenizer = tokenizer_for(vocabulary, command.text_settings(units="word"))
    assert [vocabulary.tokens[i] for i in tokenizer.encode_ids(["北京大学天气好"])[0]] == ["北京大学", "天气", "好"]


def test_a_word_vocabulary_is_trimmed_by_words(tmp_path, texts):
    wobert = published.FIXTURES / "wobert"
    assert call("trim", wobert, tmp_path / "out", "--texts", texts, "--only-used") == 0
    assert "北京大学" in tokens_in(tmp_path / "out")
    assert "中国" not in tokens_in(tmp_path / "out")
    assert report_in(tmp_path / "out")["texts"][str(texts)]["units"] == "word"


def test_units_that_the_smaller_vocabulary_no_longer_shows_are_told(tmp_path, texts, capsys):
    wobert = published.FIXTURES / "wobert"
    assert call("trim", wobert, tmp_path / "words", "--texts", texts) == 0
    assert "set text.units" not in capsys.readouterr().err
    texts.write_text("在的", encoding="utf-8")
    assert call("trim", wobert, tmp_path / "none", "--texts", texts) == 0
    assert "set text.units: word." in capsys.readouterr().err


def test_frequency_gives_masked_ids_the_rows_of_the_tokens_of_their_rank(tmp_path, texts, capsys):
    out, ids = tmp_path / "out", tmp_path / "ids.txt"
    ids.write_text("100 7 100 7 100\n7 100 42\n", encoding="utf-8")
    assert call("frequency", BERT, out, "--ids", ids, "--texts", texts, "--min-count", "2") == 0
    assert tokens_in(out) == [*SPECIAL_TOKENS, "100", "7"]
    assert report_in(out)["added"]["most_frequent"] == {"100": "北", "7": "京"}
    old = tokens_in(BERT)
    before, after = (
        to_numpy(load_encoder(each).model.get_layer("backbone").embedding.token_table) for each in (BERT, out)
    )
    np.testing.assert_array_equal(after, before[[*range(5), old.index("北"), old.index("京")]])
    assert "1 of 3 ids are there less than 2 times" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tool", "options", "message"),
    [
        ("trim", [], "trim: no texts. Name files with --texts"),
        ("trim", ["--texts", "absent.txt"], "absent.txt: no such file"),
        ("trim", ["--competition", "sohu2020"], "unknown competition 'sohu2020'. Did you mean 'sohu2021'?"),
        ("extend", ["--texts", "TEXTS", "--min-count", "9"], "no word to add"),
        ("frequency", ["--texts", "TEXTS", "--ids", "TEXTS"], "texts.txt:1: found '我们在北京大学'. Expected integers"),
    ],
)
def test_slips_are_told_in_one_line_and_leave_nothing_behind(tmp_path, texts, capsys, tool, options, message):
    named = [str(texts) if option == "TEXTS" else option for option in options]
    assert call(tool, BERT, tmp_path / "out", *named) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["texts.txt"]


def test_an_existing_folder_is_not_replaced(tmp_path, texts, capsys):
    assert call("trim", BERT, tmp_path, "--texts", texts) == 1
    assert "exists already" in capsys.readouterr().err
    assert texts.exists()


@pytest.mark.parametrize("options", [["--words", "0"], ["--words", "many"], ["--min-count", "-1"]])
def test_counts_are_positive_integers(tmp_path, texts, options):
    with pytest.raises(SystemExit):
        call("extend", BERT, tmp_path / "out", "--texts", texts, *options)
