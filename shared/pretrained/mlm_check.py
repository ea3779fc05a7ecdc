"""Whether a masked language model head has learned anything: its score on text that we wrote.

Some published checkpoints carry a head of random numbers. It loads without a complaint, as names and shapes are right,
so only what it predicts can tell. Three figures are measured at hidden characters, all in nats:

- log_prob, the mean log-probability of the true character, against ln(1/V) of guessing evenly and against guessing by
  how often each character stands in the text. About -2 for a trained BERT, around ln(1/V) = -10 for a random head.
- accuracy, the share of characters that are the likeliest: above 0.3 for a trained BERT, 0 for a random head.
- context_gain, mean_i (s_i(t_i) - mean_j s_i(t_j)) of the scores s_i(t): how much better the characters fit into their
  own places than into each other's. A head that ignores the context has 0, however well its biases know which
  characters are frequent, however large its scores are.

The last one decides. What a random head could reach by luck is seen from the same encoder with the head's own numbers
shuffled: a random head is one more of these. Errors by the number of characters would not do, since contexts and
embeddings lie in few groups, which a random matrix may happen to map onto each other.

Measured on an encoder of 2 x 128 after ten minutes of training: gain 5.2, shuffled heads 0.0 +- 0.2. Of 150 heads drawn
anew none had more than 0.31, 3.0 standard deviations; their log_prob was -10.3 to -8.2 where even guesses have -8.6.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from shared.errors import UserError
from shared.pretrained.encoder import BACKBONE, MLM_HEAD, apply_mlm_head, narrowed, outputs_of
from shared.pretrained.held_text import PASSAGES
from shared.text.vocabulary import CLS, MASK, SEP, UNK

MASKED_PERCENT = 15  # as in the training of BERT
MAX_TOKENS = 128  # of a row; passages are shorter unless they are given
MIN_MASKED, MIN_KNOWN = 20, 0.8  # fewer characters, or more gaps between them, and no score would be fair
SHUFFLED_HEADS = 100
MIN_GAIN, MIN_SPREADS = 0.5, 5.0  # nats, and standard deviations of shuffled heads that the gain must be above theirs
BATCH_ROWS = 8


@dataclass(frozen=True)
class MlmCheck:
    """What was measured, and what follows from it. Figures are None where nothing could be measured.

    verdict: real | random | unknown (the held text cannot be asked of this vocabulary) | absent.
    masked: characters that were hidden. uniform, unigram: log_prob of guessing evenly and by frequency in the text.
    shuffled_gain, shuffled_spread: mean and standard deviation of context_gain over shuffled heads.
    hints: weights that look untrained; they decide nothing.
    """

    verdict: Literal["real", "random", "unknown", "absent"]
    reason: str
    masked: int = 0
    log_prob: float | None = None
    accuracy: float | None = None
    uniform: float | None = None
    unigram: float | None = None
    context_gain: float | None = None
    shuffled_gain: float | None = None
    shuffled_spread: float | None = None
    hints: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Returns the fields for JSON."""
        return asdict(self)

    def render(self) -> str:
        """Returns one line for each fact."""
        lines = [f"- MLM head: {self.verdict}: {self.reason}"]
        if self.log_prob is not None:
            lines.append(
                f"  {self.masked} hidden: log-probability {self.log_prob:.2f} (evenly {self.uniform:.2f}, by "
                f"frequency {self.unigram:.2f}), accuracy {self.accuracy:.3f}, gain by context "
                f"{self.context_gain:.2f} (shuffled heads {self.shuffled_gain:.2f} +- {self.shuffled_spread:.2f})"
            )
        return "\n".join(lines + [f"  {hint}" for hint in self.hints])


def check_mlm_head(model: Any, tokenizer: Any, passages: Sequence[str] = PASSAGES) -> MlmCheck:
    """Returns whether the head of an encoder is trained, by its score on hidden characters of `passages`.

    Args: model: of `build_encoder`. tokenizer: of the checkpoint's vocabulary, as in shared/text/tokenizer.py.
    """
    if MLM_HEAD not in {layer.name for layer in model.layers}:
        return MlmCheck("absent", "the checkpoint holds the encoder alone")
    hints = _hints(model)
    rows, hidden = _masked_rows(model, tokenizer, passages)
    vocabulary = tokenizer.vocabulary
    tokens = np.concatenate([row[1:-1] for row in rows])
    known = float(np.mean(tokens != vocabulary.ids[UNK]))
    places = int(sum(len(where) for where in hidden))
    if known < MIN_KNOWN:
        return MlmCheck("unknown", f"the vocabulary knows {known:.0%} of the held text's tokens", hints=hints)
    if places < MIN_MASKED:
        return MlmCheck("unknown", f"the held text has only {places} characters to hide", hints=hints)

    vectors = _vectors(model, rows, hidden, vocabulary.ids[MASK])
    scores = _array(apply_mlm_head(model.get_layer(MLM_HEAD), model.get_layer(BACKBONE), vectors[None]))[0]
    scores = scores.astype(np.float64)  # (places, vocabulary)
    truth = np.concatenate([row[where] for row, where in zip(rows, hidden, strict=True)])
    if not np.isfinite(scores).all():
        return MlmCheck("random", "its scores are not finite", places, hints=hints)
    top = scores.max(axis=-1, keepdims=True)
    log_probs = scores - top - np.log(np.exp(scores - top).sum(axis=-1, keepdims=True))
    shuffled = _shuffled_gains(model, vectors, truth)
    words = tokens[_is_word(vocabulary, tokens)]
    shares = np.array([np.mean(words == token) for token in truth])
    figures = {
        "log_prob": float(log_probs[np.arange(places), truth].mean()),
        "accuracy": float(np.mean(scores.argmax(axis=-1) == truth)),
        "uniform": -math.log(scores.shape[1]),
        "unigram": float(np.log(shares).mean()),
        "context_gain": _gain(scores[:, truth]),
        "shuffled_gain": float(shuffled.mean()),
        "shuffled_spread": float(shuffled.std(ddof=1)),
    }
    verdict, reason = _verdict(figures)
    return MlmCheck(verdict, reason, places, **figures, hints=hints)


def require_real_mlm_head(check: MlmCheck, where: str) -> None:
    """Raises: UserError unless the head was found to be trained, with what was measured. where: the checkpoint."""
    if check.verdict == "real":
        return
    found = check.reason
    if check.log_prob is not None:
        found += (
            f": the log-probability of {check.masked} characters is {check.log_prob:.2f}, {check.uniform:.2f} by "
            f"guessing evenly; {check.accuracy:.1%} are found"
        )
    what = {"absent": "no MLM head", "random": "a random MLM head", "unknown": "an MLM head that cannot be judged"}
    raise UserError(
        f"{where}: {what[check.verdict]}: {found}. Expected a trained one. Take a checkpoint that has it, see "
        "docs/backbones.md; this one still serves the stages that put a head of their own on the encoder."
    )


def _verdict(figures: dict[str, float]) -> tuple[Literal["real", "random"], str]:
    gain = figures["context_gain"]
    if gain <= figures["shuffled_gain"] + MIN_SPREADS * figures["shuffled_spread"]:
        return "random", "what it predicts has nothing to do with the context"
    if gain < MIN_GAIN:
        return "random", "it makes hardly more of the context than chance does"
    if figures["log_prob"] <= figures["uniform"]:
        return "random", "it heeds the context, but even guesses are better: damaged, or of another vocabulary"
    return "real", "it tells hidden characters by their context"


def _masked_rows(model: Any, tokenizer: Any, passages: Sequence[str]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns rows of ids, [CLS] ... [SEP], and for each of them the places to hide: every seventh word or so."""
    architecture, vocabulary = model.get_layer(BACKBONE).architecture, tokenizer.vocabulary
    room = min(MAX_TOKENS, architecture.max_positions if architecture.position == "absolute" else MAX_TOKENS) - 2
    rows, hidden, words = [], [], 0
    for ids in tokenizer.encode_ids(list(passages)):
        for start in range(0, len(ids), max(room, 1)):
            row = np.array([vocabulary.ids[CLS], *ids[start : start + room], vocabulary.ids[SEP]], np.int32)
            places = 1 + np.flatnonzero(_is_word(vocabulary, row[1:-1]))
            order = words + np.arange(len(places))
            rows.append(row)
            hidden.append(places[(order + 1) * MASKED_PERCENT // 100 > order * MASKED_PERCENT // 100])
            words += len(places)
    return rows, hidden


def _is_word(vocabulary: Any, ids: np.ndarray) -> np.ndarray:
    """Returns (tokens,) bool: no punctuation, which is told too easily, and no special token."""
    special = set(vocabulary.special_ids)
    tokens = (vocabulary.tokens[index] for index in ids)
    return np.array([i not in special and any(c.isalnum() for c in t) for i, t in zip(ids, tokens, strict=True)], bool)


def _vectors(model: Any, rows: list[np.ndarray], hidden: list[np.ndarray], mask_id: int) -> np.ndarray:
    """Returns what the encoder makes of the hidden places, (places, hidden_dim) float32."""
    encoder, vectors = narrowed(model, ["hidden"]), []
    width = max(len(row) for row in rows)
    for start in range(0, len(rows), BATCH_ROWS):
        token_ids = np.zeros((BATCH_ROWS, width), np.int32)  # always one shape: it is compiled once
        padding_mask = np.zeros((BATCH_ROWS, width), bool)
        chosen = np.zeros((BATCH_ROWS, width), bool)
        for index, row in enumerate(rows[start : start + BATCH_ROWS]):
            token_ids[index, : len(row)], padding_mask[index, : len(row)] = row, True
            chosen[index, hidden[start + index]] = True
        token_ids[chosen] = mask_id
        inputs = {"token_ids": token_ids, "segment_ids": np.zeros_like(token_ids), "padding_mask": padding_mask}
        vectors.append(outputs_of(encoder, inputs)["hidden"][chosen])
    return np.concatenate(vectors)


def _gain(fits: np.ndarray) -> float:
    """Returns the gain by context. fits: (places, places), how well the character of place j fits into place i."""
    return float((np.diagonal(fits) - fits.mean(axis=1)).mean())


def _shuffled_gains(model: Any, vectors: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns (SHUFFLED_HEADS,) gains of heads whose numbers stand in random places. Output biases change no gain.

    A plain head, which has no numbers, is one with the identity as its matrix; here it gets random ones.
    """
    head, embedding = model.get_layer(MLM_HEAD), model.get_layer(BACKBONE).embedding
    rows = _array(embedding.token_table)[truth]  # (places, embedding_dim)
    if embedding.widen is not None and embedding.projection == "before":
        rows = rows @ _array(embedding.widen.kernel)
    rng, gains = np.random.default_rng(1), []
    if not head.plain:
        kernel, shift, gamma, beta = map(_array, (head.dense.kernel, head.dense.bias, head.norm.gamma, head.norm.beta))
    for _ in range(SHUFFLED_HEADS):
        if head.plain:
            mixed = vectors @ rng.normal(0, vectors.shape[1] ** -0.5, (vectors.shape[1], rows.shape[1]))
        else:
            mixed = vectors @ rng.permutation(kernel.ravel()).reshape(kernel.shape) + rng.permutation(shift)
            mixed = _array(head.activate(mixed))
            mixed = mixed - mixed.mean(axis=-1, keepdims=True)
            mixed = mixed / np.sqrt((mixed**2).mean(axis=-1, keepdims=True) + head.epsilon)
            mixed = mixed * rng.permutation(gamma) + rng.permutation(beta)
        gains.append(_gain(mixed @ rows.T))
    return np.array(gains)


def _array(tensor: Any) -> np.ndarray:
    from keras import ops

    return np.asarray(ops.convert_to_numpy(ops.cast(tensor, "float32")))


def _hints(model: Any) -> tuple[str, ...]:
    """Returns what about the head's weights looks as an initializer leaves it."""
    head = model.get_layer(MLM_HEAD)
    if head.plain:
        return ()
    hints = []
    bias, shift, gamma, beta = map(_array, (head.bias, head.dense.bias, head.norm.gamma, head.norm.beta))
    if bias.min() == bias.max():
        hints.append(f"the output bias is {bias.min():g} for every token")
    if not shift.any() and not beta.any() and (gamma == 1).all():
        hints.append("the transform has no bias, and its normalization neither gain nor shift")
    kernel, start = _array(head.dense.kernel), model.get_layer(BACKBONE).architecture.initializer_range
    for spread, kind in ((start, "normal"), (start * 0.8796, "normal, cut at two standard deviations")):
        if kernel.size >= 4096 and abs(kernel.std() / spread - 1) < 4 / math.sqrt(2 * kernel.size):
            hints.append(f"the transform's kernel has the spread {kernel.std():.4f} of a first draw ({kind})")
    return tuple(hints)
