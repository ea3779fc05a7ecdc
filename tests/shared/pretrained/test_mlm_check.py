import json
import math
import re

import keras
import numpy as np
import pytest
from keras import ops

from shared.backbones.architecture import KINDS, Architecture
from shared.errors import UserError
from shared.pretrained.encoder import build_encoder, outputs_of
from shared.pretrained.held_text import PASSAGES
from shared.pretrained.mlm_check import MlmCheck, check_mlm_head, require_real_mlm_head
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.conftest import to_numpy

# A language that can be learned in a second: every sentence keeps to one of eight topics, each of five characters.
TOPICS = (
    "山水云雨风",
    "饭菜汤面茶",
    "书笔纸字画",
    "父母兄弟姐",
    "车船路桥站",
    "金银铜铁石",
    "春夏秋冬年",
    "红黄蓝白黑",
)
SIZES = {"num_layers": 1, "hidden_dim": 32, "num_heads": 2, "ffn_dim": 32, "max_positions": 32}
LENGTH = 20


def architecture(kind="bert", **fields):
    return Architecture.model_validate({"kind": kind, **SIZES, **KINDS[kind], **fields})


def tokenizer_of(characters):
    return Tokenizer(Vocabulary([*SPECIAL_TOKENS, *dict.fromkeys(characters)]), lowercase=True)


TOKENIZER = tokenizer_of("".join(TOPICS) + "，。")
HELD_TOKENIZER = tokenizer_of("".join(PASSAGES))


def sentences(count, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(TOPICS[i % len(TOPICS)]), LENGTH)) + "。" for i in range(count)]


def train(model, texts):
    """Trains a masked language model on texts for a few hundred steps."""
    ids = TOKENIZER.vocabulary.ids
    truth = np.stack([[ids["[CLS]"], *row, ids["[SEP]"]] for row in TOKENIZER.encode_ids(texts)])
    hidden = np.random.default_rng(5).random(truth.shape) < 0.15
    token_ids = np.where(hidden, ids["[MASK]"], truth)
    trained = keras.Model(model.input, {"mlm_logits": model.output["mlm_logits"]})

    def loss(targets, logits):
        ids, counted = ops.cast(targets[..., 0], "int32"), ops.cast(targets[..., 1], "float32")
        losses = -ops.take_along_axis(ops.log_softmax(logits), ids[..., None], axis=-1)[..., 0]
        return ops.sum(losses * counted) / ops.sum(counted)

    inputs = {"token_ids": token_ids, "segment_ids": 0 * token_ids, "padding_mask": np.ones(truth.shape, bool)}
    trained.compile(
        keras.optimizers.Adam(0.01), loss={"mlm_logits": loss}, jit_compile=keras.backend.backend() == "jax"
    )
    targets = np.stack([truth, hidden], axis=-1).astype("int32")
    trained.fit(inputs, {"mlm_logits": targets}, batch_size=64, epochs=4, verbose=0, shuffle=False)
    return model


@pytest.fixture(scope="module")
def trained():
    """An encoder that has read other sentences of the language than those it is asked for."""
    keras.utils.set_random_seed(0)
    model = build_encoder(architecture(), len(TOKENIZER.vocabulary), mlm=True, seed=0)
    return train(model, sentences(2048, seed=1))


@pytest.fixture
def own_head(trained):
    """The trained encoder; its head may be changed and is put back."""
    head = trained.get_layer("mlm_head")
    values = head.get_weights()
    yield head
    head.set_weights(values)


HELD_SENTENCES = sentences(24, seed=2)


def test_a_head_that_was_trained_on_other_sentences_is_real(trained):
    assert not set(HELD_SENTENCES) & set(sentences(2048, seed=1))
    check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES)
    assert check.verdict == "real"
    assert check.masked == 24 * LENGTH * 15 // 100
    assert check.uniform == pytest.approx(-math.log(len(TOKENIZER.vocabulary)))
    assert check.log_prob > math.log(1 / 5) - 0.3  # it knows the topic, and five characters are equally likely
    assert check.accuracy > 0.05  # 0.2 are expected, of 72
    assert check.context_gain > 2
    require_real_mlm_head(check, "somewhere")


@pytest.mark.parametrize("spread", [0.02, 0.2, 2.0])
def test_the_same_encoder_with_a_head_drawn_anew_is_random(trained, own_head, spread):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        own_head.dense.kernel.assign(rng.normal(0, spread, own_head.dense.kernel.shape))
        check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES)
        assert check.verdict == "random"
        assert abs(check.context_gain) < 4 * check.shuffled_spread


def test_a_head_that_knows_frequencies_but_no_context_is_random(trained, own_head):
    own_head.norm.gamma.assign(np.zeros(own_head.norm.gamma.shape))
    own_head.norm.beta.assign(np.zeros(own_head.norm.beta.shape))
    characters = [TOKENIZER.vocabulary.ids[c] for topic in TOPICS for c in topic]
    own_head.bias.assign(np.where(np.isin(np.arange(len(TOKENIZER.vocabulary)), characters), 9.0, 0.0))
    check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES)
    assert check.log_prob > check.uniform + 0.1
    assert check.context_gain == pytest.approx(0, abs=1e-5)
    assert check.verdict == "random"
    assert check.reason == "what it predicts has nothing to do with the context"


def test_a_trace_of_context_is_not_enough(trained, own_head):
    for weight in (own_head.norm.gamma, own_head.norm.beta, own_head.bias):
        weight.assign(0.05 * to_numpy(weight))
    check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES)
    assert 0 < check.context_gain < 0.5
    assert check.context_gain > 5 * check.shuffled_spread
    assert (check.verdict, check.reason) == ("random", "it makes hardly more of the context than chance does")


def test_a_head_that_heeds_the_context_but_guesses_worse_than_chance_is_refused(trained, own_head):
    rng = np.random.default_rng(0)
    own_head.bias.assign(rng.normal(0, 20, own_head.bias.shape))  # as if rows had been exchanged
    check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES)
    assert check.context_gain > 2
    assert check.log_prob < check.uniform
    assert check.verdict == "random"
    assert check.reason.startswith("it heeds the context, but even guesses are better")


def test_scores_that_are_not_finite_are_random(trained, own_head):
    own_head.bias.assign(np.full(own_head.bias.shape, np.nan))
    check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES)
    assert (check.verdict, check.reason) == ("random", "its scores are not finite")


@pytest.mark.parametrize("kind", ["bert", "nezha", "roformer", "roformer_v2"])
def test_an_untrained_encoder_is_random_on_the_held_text(kind):
    model = build_encoder(architecture(kind), len(HELD_TOKENIZER.vocabulary), mlm=True, seed=1)
    check = check_mlm_head(model, HELD_TOKENIZER)
    assert check.verdict == "random"
    assert check.masked == 83
    assert check.unigram > check.uniform
    with pytest.raises(UserError, match=r"^here: a random MLM head: .* of 83 characters is -\d.*by guessing"):
        require_real_mlm_head(check, "here")


def test_weights_as_an_initializer_leaves_them_are_told():
    fields = {"hidden_dim": 64, "initializer_range": 0.1}
    model = build_encoder(architecture(**fields), len(HELD_TOKENIZER.vocabulary), mlm=True, seed=1)
    bias, transform, kernel = check_mlm_head(model, HELD_TOKENIZER).hints
    assert bias == "the output bias is 0 for every token"
    assert transform == "the transform has no bias, and its normalization neither gain nor shift"
    assert re.fullmatch(
        r"the transform's kernel has the spread 0\.08[6-9]\d of a first draw \(normal, cut .*\)", kernel
    )
    for weight in model.get_layer("mlm_head").weights:
        weight.assign(np.random.default_rng(0).normal(0.3, 0.5, weight.shape))
    assert check_mlm_head(model, HELD_TOKENIZER).hints == ()


def test_few_positions_cut_the_passages_without_losing_a_character():
    model = build_encoder(architecture(max_positions=9), len(HELD_TOKENIZER.vocabulary), mlm=True, seed=1)
    long = build_encoder(architecture(max_positions=64), len(HELD_TOKENIZER.vocabulary), mlm=True, seed=1)
    assert check_mlm_head(model, HELD_TOKENIZER).masked == check_mlm_head(long, HELD_TOKENIZER).masked


def test_a_vocabulary_that_lacks_the_characters_is_not_judged():
    model = build_encoder(architecture(), len(TOKENIZER.vocabulary), mlm=True)
    check = check_mlm_head(model, TOKENIZER)
    assert check.verdict == "unknown"
    assert check.reason.startswith("the vocabulary knows ")
    assert check.log_prob is None
    with pytest.raises(UserError, match="an MLM head that cannot be judged: the vocabulary knows"):
        require_real_mlm_head(check, "here")


def test_too_little_text_is_not_judged(trained):
    check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES[:3])
    assert (check.verdict, check.reason) == ("unknown", "the held text has only 9 characters to hide")


def test_an_encoder_without_a_head_is_said_to_be_one():
    check = check_mlm_head(build_encoder(architecture(), 50), TOKENIZER)
    assert check.verdict == "absent"
    with pytest.raises(UserError, match=r"^models/x: no MLM head: .*docs/backbones.md"):
        require_real_mlm_head(check, "models/x")


def test_punctuation_and_the_ends_of_a_row_are_never_hidden(trained, monkeypatch):
    """The encoder sees [MASK] where a character was, 15 of 100, and all else as it is."""
    seen = []

    def spy(model, inputs):
        seen.append(inputs["token_ids"][inputs["padding_mask"]])
        return outputs_of(model, inputs)

    monkeypatch.setattr("shared.pretrained.mlm_check.outputs_of", spy)
    texts = [f"{text[:9]}，{text[9:]}" for text in HELD_SENTENCES]
    check = check_mlm_head(trained, TOKENIZER, texts)
    ids = TOKENIZER.vocabulary.ids
    whole = np.concatenate([[ids["[CLS]"], *row, ids["[SEP]"]] for row in TOKENIZER.encode_ids(texts)])
    told = np.concatenate(seen)
    hidden = told == ids["[MASK]"]
    np.testing.assert_array_equal(told[~hidden], whole[~hidden])
    assert hidden.sum() == check.masked == 24 * LENGTH * 15 // 100
    assert not np.isin(whole[hidden], [ids[token] for token in ("，", "。", "[CLS]", "[SEP]")]).any()


def test_the_check_is_told_in_lines_and_as_json(trained):
    check = check_mlm_head(trained, TOKENIZER, HELD_SENTENCES)
    first, second = check.render().splitlines()
    assert first == "- MLM head: real: it tells hidden characters by their context"
    assert second.startswith("  72 hidden: log-probability -1.")
    assert MlmCheck(**json.loads(json.dumps(check.document())) | {"hints": ()}) == check


def test_the_held_text_is_plain_chinese_of_some_length():
    text = "".join(PASSAGES)
    assert len(text) > 500
    assert len(set(text)) > 250
    assert all("\u4e00" <= character <= "\u9fff" or character in "，。" for character in text)
