"""One training step of a toy with an encoder: the memory it took, beside what `shared.training.memory` expected.

    python -m tests.shared.training.memory_peak float32 256 32 num_layers=2 hidden_dim=128 num_heads=2 ffn_dim=512

prints both in bytes, as JSON; weights and optimizer are left out, as they are there before the step. From such pairs
the constants of `memory.py` were fitted; each takes a process of its own, as a process's peak never falls.
"""

import json
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from shared.training.hardware import configure
from shared.training.settings import HardwareSettings, TrainSettings


def main(precision: str, width: int, rows: int, options: dict[str, str]) -> dict[str, int]:
    """Returns `measured` and `expected`."""
    hardware = HardwareSettings(precision=precision, recompute=options.pop("recompute", "false") == "true")
    train = TrainSettings(seed=0, epochs=1, batch_size=rows, bucket_lengths=(8,), learning_rate=1e-4)
    machine = configure(hardware, 0)
    import keras
    from keras import ops

    from shared.backbones.backbone import Backbone
    from shared.training.batch import Batch
    from shared.training.engine import Engine
    from shared.training.loss import Loss
    from shared.training.memory import estimate

    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    architecture = {"kind": "roformer", "position": "rotary"} | {name: int(value) for name, value in options.items()}
    backbone = Backbone(architecture, 2000, attention_dropout=0.0, name="backbone")
    hidden = backbone(token_ids, ops.zeros_like(token_ids), padding_mask=ops.not_equal(token_ids, 0))
    network = keras.Model({"token_ids": token_ids}, {"out": keras.layers.Dense(2, dtype="float32")(hidden[:, 0])})
    loss = Loss(
        lambda targets, weight: {"rows": ops.sum(weight)},
        lambda targets, outputs, weight: {"rows": ops.sum(ops.sum(outputs["out"] ** 2, axis=-1) * weight)},
    )
    engine = Engine(network, loss, train, hardware, 100, machine)

    def step(width: int, rows: int) -> None:
        batch = Batch({"token_ids": np.ones((rows, width), np.int32)}, {}, np.ones(rows, np.float32))
        np.asarray(engine.run([batch])["loss"])

    step(16, 1)  # what is loaded and compiled once
    step(24, 1)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    step(width, rows)
    step(width, rows)
    measured = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    expected = estimate(network, SimpleNamespace(train=train, hardware=hardware), width, rows)
    return {"measured": measured, "expected": expected.total - expected.weights - expected.optimizer}


if __name__ == "__main__":
    kind, *sizes = sys.argv[1:4]
    print(json.dumps(main(kind, *map(int, sizes), dict(option.split("=") for option in sys.argv[4:]))))
