"""F1 of an answer against a golden one by their longest common run of tokens, as Chinese reading comprehension has it.

The scripts of CMRC 2018 and DuReader-robust call the overlap a common subsequence but count a contiguous run.
"""

from collections.abc import Hashable, Sequence

import numpy as np


def longest_common_run(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Returns the length of the longest contiguous run of tokens that both sequences hold.

    It takes as many vector operations as the shorter sequence has tokens, each as long as the longer one.
    """
    shorter, longer = sorted((one, other), key=len)
    numbers = {token: number for number, token in enumerate(dict.fromkeys(shorter))}
    codes = np.array([numbers.get(token, -1) for token in longer], np.int64)
    longest = 0
    runs = np.zeros(len(longer) + 1, np.int64)  # runs[i + 1]: length of the common run that ends at longer[i]
    for token in shorter:
        runs[1:] = (runs[:-1] + 1) * (codes == numbers[token])
        longest = max(longest, int(runs.max()))
    return longest


def run_f1(predicted: Sequence[Hashable], golden: Sequence[Hashable]) -> float:
    """Returns 2pr/(p + r), with p and r the share of the longest common run in the predicted and the golden tokens.

    Without a common token it is 0, also where both are empty.
    """
    common = longest_common_run(predicted, golden)
    if not common:
        return 0.0
    precision, recall = common / len(predicted), common / len(golden)
    return 2 * precision * recall / (precision + recall)
