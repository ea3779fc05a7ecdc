"""Policy gradient of an expected reward: learning by the measure itself instead of a log-likelihood."""

from typing import Any

from keras import ops


def policy_gradient(logits: Any, rewards: Any) -> Any:
    """Returns -sum_y p(y) r(y) for each row: the reward that answers drawn from p get on average, negated.

    The reward of the best answer, r(argmax p), has no gradient; that of drawn ones has E[(r - b) grad log p], whatever
    the baseline b. Classes being few, all answers are weighed by p instead of a few being drawn: the gradient by the
    logit of y is p(y) (r(y) - b), with the baseline b = E[r] coming in through the softmax, and has no variance.

    Args: logits: (batch, classes) float; rewards: (batch, classes) float, of each answer to the row.
    Returns: (batch,) float32.
    Reference: Williams 1992, https://doi.org/10.1007/BF00992696; Su Jianlin, https://kexue.fm/archives/7737
    """
    return -ops.sum(ops.softmax(ops.cast(logits, "float32")) * ops.cast(rewards, "float32"), axis=-1)


def accuracy_rewards(labels: Any, classes: int) -> Any:
    """Returns 1 for the right answer and 0 for others: (batch, classes) float32."""
    return ops.one_hot(labels, classes, dtype="float32")


def f1_rewards(labels: Any, f1: float) -> Any:
    """Returns what an answer adds to 2 tp - f1 (answered + gold), less what is the same for both answers.

    F1 belongs to all rows together, but its maximum F is where the maximum of this sum over rows is 0 at f1 = F
    (Dinkelbach 1967), so that rows count by themselves: answer 1 earns 2 - f1 where the label is 1 and -f1 where it
    is 0, answer 0 earns nothing. At calibrated probabilities answer 1 pays from f1 / 2 on.

    Args: labels: (batch,) int, 0 or 1; f1: float in (0, 1], the F1 that is expected to be reached.
    Returns: (batch, 2) float32.
    Reference: Dinkelbach 1967, https://doi.org/10.1287/mnsc.13.7.492; Lipton et al. 2014,
        https://arxiv.org/abs/1402.1892
    """
    one = 2.0 * ops.cast(labels, "float32") - f1
    return ops.stack([ops.zeros_like(one), one], axis=-1)
