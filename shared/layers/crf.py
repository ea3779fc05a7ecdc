"""The linear-chain conditional random field: label bigrams, likelihood of label sequences, and the best of them."""

import keras
import numpy as np
from keras import ops

_HIDDEN = -1e9  # of labels that only fill up a smaller label set; finite, so that no gradient becomes nan
_FLOOR = 1e-37  # near the smallest normal float32, about exp(-85)
_RUN = 8  # tokens a loop step: the gradient of one slice of the logits costs as much time as all of them


@keras.saving.register_keras_serializable("baseline_kit")
class CRF(keras.layers.Layer):
    """Holds the transitions of a linear-chain CRF, whose likelihood is in the functions below.

    The weight is T / rate for transitions T, so that an Adam step moves them `rate` times as far as other weights: at
    the learning rates of fine-tuning they would else stay far below the logits. The weight's gradient is that by T; the
    factor `rate` that is left out would not change Adam's step, but would use up a limit on the global gradient norm.
    Transitions start at zero, where the CRF is a softmax at every token. That the first token, [CLS], is outside any
    span is left to decoding (`start_label` of `shared.decoding.viterbi`), not learned.

    Args:
        num_labels: int; or a list of ints: several label sequences over the same tokens, each with labels and
            transitions of its own, padded to the largest number.
        rate: float above 0.
    Call arguments: inputs: (batch, length, labels) float; for several sequences (batch, sequences, length, labels).
    Returns: the logits, float32, with the labels that only fill up at -1e9; the transitions from the label in the
        first of the last two axes to the one in the other, (labels, labels) or (sequences, labels, labels) float32.
    Raises: ValueError if the shape of the inputs does not go with num_labels.
    Reference: Lafferty et al. 2001; Su Jianlin on the rate, https://kexue.fm/archives/7196
    """

    def __init__(self, num_labels, rate=1.0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.num_labels = num_labels if isinstance(num_labels, int) else list(num_labels)
        self.rate = rate

    def build(self, inputs_shape):
        wanted = (
            (self.num_labels,) if isinstance(self.num_labels, int) else (len(self.num_labels), max(self.num_labels))
        )
        found = (inputs_shape[-1],) if len(wanted) == 1 else (inputs_shape[1], inputs_shape[-1])
        if len(inputs_shape) != 2 + len(wanted) or found != wanted:
            raise ValueError(f"inputs of shape {tuple(inputs_shape)} do not go with num_labels={self.num_labels}.")
        self.scaled_transitions = self.add_weight(
            name="transitions", shape=(*wanted, wanted[-1]), initializer="zeros", dtype="float32", autocast=False
        )

    def call(self, inputs):
        weight = ops.convert_to_tensor(self.scaled_transitions)
        transitions = weight + (self.rate - 1.0) * ops.stop_gradient(weight)
        return hide_missing_labels(inputs, self.num_labels), transitions

    def compute_output_spec(self, inputs):
        labels = inputs.shape[-1]
        sequences = inputs.shape[1:-2]
        return (
            keras.KerasTensor(inputs.shape, "float32"),
            keras.KerasTensor((*sequences, labels, labels), "float32"),
        )

    def get_config(self):
        return {**super().get_config(), "num_labels": self.num_labels, "rate": self.rate}


def hide_missing_labels(logits, num_labels):
    """Returns the logits as float32, those of labels that a sequence does not have at -1e9, which no softmax feels.

    Args: logits: (batch, length, labels), or (batch, sequences, length, labels) with num_labels a list.
    """
    logits = ops.cast(logits, "float32")
    if isinstance(num_labels, int):
        return logits
    missing = np.arange(max(num_labels)) >= np.array(num_labels)[:, None]  # (sequences, labels)
    return ops.where(missing[:, None, :], _HIDDEN, logits)


def log_likelihood(logits, transitions, labels, mask):
    """Returns the log probability of label sequences.

    Args: logits, transitions, mask: as in `log_partition`. labels: (batch, length) or (batch, sequences, length) int,
        anything at padding.
    Returns: (batch,) or (batch, sequences) float32.
    """
    return path_score(logits, transitions, labels, mask) - log_partition(logits, transitions, mask)


def path_score(logits, transitions, labels, mask):
    """Returns the sum of the logits of the labels and of the transitions between them; all as in `log_likelihood`."""
    shape = ops.shape(logits)[:-2]
    logits, transitions = _with_sequences(logits, transitions)
    batch, sequences, length, num_labels = ops.shape(logits)
    real = ops.cast(mask, "bool")[:, None, :]  # (batch, 1, length)
    labels = ops.where(real, ops.reshape(ops.cast(labels, "int32"), (batch, sequences, length)), 0)
    at_labels = ops.sum(logits * ops.one_hot(labels, num_labels, dtype="float32"), axis=-1)
    pairs = (ops.arange(sequences)[:, None] * num_labels + labels[..., :-1]) * num_labels + labels[..., 1:]
    between = ops.take(ops.reshape(transitions, (-1,)), pairs)  # (batch, sequences, length - 1)
    score = ops.sum(ops.where(real, at_labels, 0.0), axis=-1) + ops.sum(ops.where(real[..., 1:], between, 0.0), axis=-1)
    return ops.reshape(score, shape)


def log_partition(logits, transitions, mask):
    """Returns the log of the sum of exp(path score) over all label sequences, by the forward recursion.

    A step is one matrix product, exp(alpha - max alpha) exp(T - column max of T), instead of a logsumexp over labels x
    labels numbers a row. It is exact to float32, or to TF32 on a GPU that multiplies so, as long as the transitions
    into any one label differ by less than 70 among each other: then what underflows is less than exp(-17) of the sum. A
    sum too small for float32 counts as exp(-85), with gradient zero.

    Args:
        logits: (batch, length, labels) float, of any length; for several label sequences over the same tokens (batch,
            sequences, length, labels).
        transitions: (labels, labels) or (sequences, labels, labels) float.
        mask: (batch, length) bool, True at real tokens; padding stands at the end, and the first token is real.
    Returns: (batch,) or (batch, sequences) float32.
    Reference: Rabiner 1989, section III.A, https://doi.org/10.1109/5.18626
    """
    shape = ops.shape(logits)[:-2]
    logits, transitions = _with_sequences(logits, transitions)
    batch, sequences, length, num_labels = ops.shape(logits)
    column_max = ops.stop_gradient(ops.max(transitions, axis=1, keepdims=True))  # (sequences, 1, labels)
    factors = ops.exp(transitions - column_max)
    runs = (length - 1) // _RUN + 1
    fill = runs * _RUN - (length - 1)
    by_token = ops.transpose(logits, (2, 1, 0, 3))  # (length, sequences, batch, labels)
    rest = ops.pad(by_token[1:], ((0, fill), (0, 0), (0, 0), (0, 0)))
    rest = ops.reshape(rest, (runs, _RUN, sequences, batch, num_labels))
    real = ops.pad(ops.transpose(ops.cast(mask, "bool"))[1:], ((0, fill), (0, 0)))
    real = ops.reshape(real, (runs, _RUN, 1, batch, 1))

    def run(index, alpha):  # alpha: log of the summed scores of all beginnings, by their last label
        run_logits, run_real = rest[index], real[index]
        for token in range(_RUN):
            top = ops.stop_gradient(ops.max(alpha, axis=-1, keepdims=True))
            sums = ops.matmul(ops.exp(alpha - top), factors)  # (sequences, batch, labels)
            step = top + column_max + ops.log(ops.maximum(sums, _FLOOR)) + run_logits[token]
            alpha = ops.where(run_real[token], step, alpha)
        return alpha

    alpha = _repeat(runs, run, by_token[0])
    return ops.reshape(ops.transpose(ops.logsumexp(alpha, axis=-1)), shape)


def best_labels(logits, transitions, mask, start_label=None):
    """Returns the label sequences with the largest path score, by the Viterbi algorithm, the lower label on a tie.

    For networks that are exported or decode on a GPU or TPU. On a CPU with hundreds of labels `shared.decoding.viterbi`
    is far faster: it leaves out what provably changes nothing, which takes shapes that depend on the data.

    Args:
        logits, transitions, mask: as in `log_partition`; the length must be known when the graph is made.
        start_label: int, of the first token whatever its logits, e.g. outside at [CLS]; None: any.
    Returns: (batch, length) or (batch, sequences, length) int32, 0 at padding.
    Raises: ValueError if the length is not known.
    Reference: Viterbi 1967, https://doi.org/10.1109/TIT.1967.1054010
    """
    if logits.shape[-2] is None:
        raise ValueError("best_labels needs a known length: call it on padded batches of a fixed width.")
    shape = ops.shape(logits)[:-1]
    logits, transitions = _with_sequences(logits, transitions)
    by_token = ops.transpose(logits, (2, 0, 1, 3))  # (length, batch, sequences, labels)
    real = ops.transpose(ops.cast(mask, "bool"))[:, :, None]  # (length, batch, 1)
    sequences, num_labels = ops.shape(logits)[1], ops.shape(logits)[-1]
    into = ops.reshape(ops.transpose(transitions, (0, 2, 1)), (-1, num_labels))  # row: sequence and latter label
    rows = ops.arange(sequences, dtype="int32") * num_labels
    first = by_token[0]
    if start_label is not None:
        first = ops.where(ops.equal(ops.arange(num_labels), start_label), first, -np.inf)

    def forth(alpha, token):  # alpha: the best score of a beginning, by its last label
        best = ops.max(ops.expand_dims(alpha, -1) + transitions, axis=-2) + token[0]
        return (ops.where(token[1][..., None], best, alpha), alpha)

    def back(label, token):  # label: at the token; alpha: before it
        former = ops.cast(ops.argmax(token[0] + ops.take(into, rows + label, axis=0), axis=-1), "int32")
        return (ops.where(token[1], former, label), label)

    alpha, alphas = ops.scan(forth, first, (by_token[1:], real[1:]))
    last = ops.cast(ops.argmax(alpha, axis=-1), "int32")  # (batch, sequences)
    first_label, labels = ops.scan(back, last, (alphas, real[1:]), reverse=True)
    labels = ops.concatenate([first_label[None], labels])  # (length, batch, sequences)
    return ops.reshape(ops.transpose(ops.where(real, labels, 0), (1, 2, 0)), shape)


def _with_sequences(logits, transitions):
    """Returns both as float32 with the axis of label sequences, which a single sequence lacks."""
    logits, transitions = ops.cast(logits, "float32"), ops.cast(transitions, "float32")
    if len(logits.shape) == 3:
        return logits[:, None], transitions[None]
    return logits, transitions


def _repeat(times, body, start):
    """Returns body(times - 1, ... body(1, body(0, start))), differentiable and compilable on every backend."""
    if keras.backend.backend() != "tensorflow":
        return ops.fori_loop(0, times, body, start)

    def step(index, value):
        return index + 1, body(index, value)

    # XLA needs to know how often, for the gradient; ops.fori_loop does not tell TensorFlow.
    return ops.while_loop(lambda index, _: index < times, step, (0, start), maximum_iterations=times)[1]
