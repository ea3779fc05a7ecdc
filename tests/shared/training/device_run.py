"""A short training run under given hardware settings, to be started as a process of its own.

Devices can be chosen only before a backend has computed anything, hence the processes.
"""

import json
import signal
import sys
from pathlib import Path

import numpy as np

from shared.training.hardware import configure
from shared.training.settings import HardwareSettings

ROWS = (11, 11, 8)  # of the batches of an epoch: multiples of neither two nor four devices, then one of both


def main(argv: list[str]) -> None:
    """Writes what came out as arrays. Args: file to write, hardware settings and ways to run the engine, as JSON."""
    path, settings, ways = Path(argv[0]), HardwareSettings(**json.loads(argv[1])), json.loads(argv[2])
    machine = configure(settings, seed=3)
    results = {"machine": np.array(str(machine)), "replicas": np.array(machine.distribution.replicas)}
    results["seen"] = rows_seen(machine.distribution, machine.backend)
    sent = [np.float32([-0.0, 0.1 + machine.host]), np.int64([2**60 + machine.host]), np.arange(3) == machine.host]
    for number, array in enumerate(machine.distribution.from_chief(sent)):
        results[f"sent_{number}"] = array
    results["any_host"] = np.array(machine.distribution.any_host([False, machine.host == 1, machine.host == 0, True]))
    if machine.hosts > 1:
        results["refusal"] = np.array(refusal(machine))
        results["stopped"] = np.array(stopped(settings, machine))
    for way, options in ways.items():
        results |= {f"{way}_{name}": value for name, value in trained(settings, machine, **options).items()}
    np.savez(path, **results)


def trained(settings, machine, micro_batches=1, steps_per_call=1):
    """Two epochs over 30 rows with dropout, weight average, decay, warm-up and clipping."""
    from shared.training.batch import Batch  # these import Keras, whose devices are chosen by now
    from shared.training.engine import Engine
    from tests.shared.training import toy

    train = toy.train_settings(ema_momentum=0.9, warmup_share=0.3, clip_norm=0.05, weight_decay=0.1)
    split = toy.split(30)
    feed = toy.feed(split)
    with machine.distribution.scope():
        network = toy.network(dropout=0.3)
    engine = Engine(network, toy.loss, train, settings, total_steps=8, machine=machine)
    engine.micro_batches = micro_batches
    predict = machine.distribution.predictor(network, machine.jit)
    probe, _ = feed.batch(np.arange(7), 16, np.random.default_rng(0))
    before = predict(probe)["logits"]
    losses, norms = [], []
    for epoch in range(2):
        order = np.random.default_rng(epoch).permutation(30)
        batches = []
        for rows in np.split(order, np.cumsum(ROWS)[:-1]):
            inputs, targets = feed.batch(rows, 16, np.random.default_rng(0))
            batches.append(Batch(inputs, targets, np.ones(len(rows), np.float32)))
        calls = [[batch] for batch in batches] if steps_per_call == 1 else [batches[:2], batches[2:]]
        for call in calls:
            metrics = engine.run(call)
            losses += np.asarray(metrics["loss"]).tolist()
            norms += np.asarray(metrics["norm"]).tolist()
    after = predict(probe)["logits"]
    with machine.distribution.scope():
        both = with_weight_as_output(network)
    same = machine.distribution.predictor(both, machine.jit)(probe)["same"]
    state = engine.state()
    engine.restore(state)
    restored = predict(probe)["logits"]
    return {
        "losses": np.array(losses),
        "norms": np.array(norms),
        "before": before,
        "after": after,
        "restored": restored,
        "same": same,
        "copies_differ": np.array(copies_differ([*network.variables, *engine.optimizer.variables], machine)),
        "weights": np.concatenate([array.ravel() for array in engine.averages() + state["network"]]),
    }


def refusal(machine):
    """The error on this host where host 0 cannot load its state."""
    from shared.errors import UserError
    from shared.training.shared_state import from_chief

    def load():
        raise UserError("of another run")

    try:
        from_chief(machine.distribution, load, {})
    except UserError as error:
        return str(error)


def stopped(settings, machine):
    """How a run of 40 steps ends where the last host gets a SIGTERM in the first one."""
    from shared.training.engine import Engine
    from shared.training.fit import fit
    from shared.training.interruption import Interrupted
    from tests.shared.training import toy

    train, feed = toy.train_settings(epochs=10), toy.feed(toy.split(30))
    with machine.distribution.scope():
        network = toy.network()
    engine = Engine(network, toy.loss, train, settings, total_steps=40, machine=machine)
    original, calls = engine.run, []

    def run(batches):
        calls.append(len(batches))
        if len(calls) == 1 and machine.host == machine.hosts - 1:
            signal.raise_signal(signal.SIGTERM)
        return original(batches)

    engine.run = run
    try:
        fit(engine, feed, train, validate=lambda: {"f1": 0.0, "f1_a": float(len(calls))}, select_by="f1_a", show=False)
    except Interrupted as error:
        return str(error)


def with_weight_as_output(network):
    """The network with one more output, which has no rows: (2, 2) ones."""
    import keras

    class Weight(keras.layers.Layer):
        def build(self, inputs_shape):
            self.weight = self.add_weight(shape=(2, 2), initializer="ones")

        def call(self, inputs):
            return self.weight * 1.0

        def compute_output_shape(self, inputs_shape):
            return (2, 2)

    return keras.Model(network.input, {**network.output, "same": Weight()(network.output["logits"])})


def rows_seen(distribution, backend):
    """How often each of 10 rows was computed by the devices together: (10,)."""
    from shared.training.batch import Batch, filled

    batch = filled(Batch({"row": np.arange(10)}, {}, np.ones(10, np.float32)), distribution.replicas)
    rows, weight = batch.inputs["row"].astype(np.int32), batch.weight
    if backend == "jax":
        import jax

        def count(rows, weight):
            return distribution.sum(jax.numpy.zeros(10).at[rows].add(weight))

        if distribution.replicas > 1:
            count = distribution.mapped(count, whole=0, axis=0)
        return np.asarray(jax.jit(count)(*distribution.place((rows, weight))))
    import tensorflow as tf

    def count(rows, weight):
        return distribution.sum(tf.math.unsorted_segment_sum(weight, rows, 10))

    if distribution.replicas == 1:
        return count(rows, weight).numpy()
    run = tf.function(lambda *arrays: distribution.first(distribution.run(count, *arrays)))
    return run(*distribution.place((rows, weight))).numpy()


def copies_differ(variables, machine):
    """Names of variables whose copies on this host's devices are not equal bit for bit."""
    if machine.distribution.replicas == 1:
        return []
    if machine.backend == "jax":
        copies = {v.path: [np.asarray(s.data) for s in v.value.addressable_shards] for v in variables}
    else:
        local = machine.distribution.strategy.experimental_local_results
        copies = {v.path: [copy.numpy() for copy in local(v.value)] for v in variables}
    return [path for path, (first, *rest) in copies.items() if any((first != other).any() for other in rest)]


if __name__ == "__main__":
    main(sys.argv[1:])
