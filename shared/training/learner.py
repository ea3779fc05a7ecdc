"""A network together with its loss, trainable by Keras' own `fit` on every backend."""

from collections.abc import Callable

import keras

Loss = Callable[[dict, dict, object], object]


class Learner(keras.Model):
    """Runs a network and reduces its outputs to the competition's loss.

    Args:
        network: keras.Model, a dict of inputs to a dict of outputs.
        loss_function: (targets, outputs, sample_weight) -> float32 scalar; targets and outputs are dicts of tensors;
            sample_weight is (batch,) float32, 0 for rows that only fill up a batch.
    """

    def __init__(self, network: keras.Model, loss_function: Loss, **kwargs):
        super().__init__(**kwargs)
        self.network, self.loss_function = network, loss_function

    def call(self, inputs, training=None):
        return self.network(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return self.loss_function(y, y_pred, sample_weight)
