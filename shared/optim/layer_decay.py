"""Learning rates that fall from the top of the backbone to its bottom."""

import re
from typing import Any

from shared.errors import UserError
from shared.optim.rates import Rates

_BLOCK = re.compile(r"(?:^|/)block_(\d+)/")
_EMBEDDING = re.compile(r"(?:^|/)backbone/embedding/")


class LayerDecay(Rates):
    """The rate of block i of n is multiplied by decay^(n - i), i from 0, that of the embeddings by decay^(n + 1).

    All other weights, as those of the head, keep theirs. Layers that share their weights, as in ALBERT, are one
    block, as weights can have but one rate. (ELECTRA's code takes one power more for all below the head.)

    Args: decay: float, the factor from each block to the one below it.
    Reference: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146; Clark et al. 2020, https://arxiv.org/abs/2003.10555
    """

    def __init__(self, inner: Any, decay: float):
        super().__init__(inner, ())
        self.decay = decay

    def factors(self, variables: list) -> list[float]:
        """Returns the factor of each weight. Raises: UserError if the network has no blocks."""
        blocks = [_BLOCK.search(variable.path) for variable in variables]
        layers = max((int(found[1]) + 1 for found in blocks if found), default=0)
        if not layers:
            raise UserError(
                "train.optimizer.wrap: layer_decay needs a backbone, but no weight of this network has 'block_0' in "
                "its path. Take layer_decay out."
            )
        bottom = [bool(_EMBEDDING.search(variable.path)) for variable in variables]
        return [
            self.decay ** (layers - int(found[1])) if found else self.decay ** (layers + 1) if low else 1.0
            for found, low in zip(blocks, bottom, strict=True)
        ]
