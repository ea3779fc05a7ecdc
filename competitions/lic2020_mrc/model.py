"""A reader: for each token of a passage window a score as first and one as last token of the answer.

Reference: Devlin et al. 2018, BERT, section 4.2, https://arxiv.org/abs/1810.04805 ; windows without an answer point to
[CLS]: section 4.3. Where this differs: `exact_match`, and tokens outside the passage part can never be chosen.
"""

import keras
from keras import ops

from competitions.lic2020_mrc.settings import Settings
from shared.backbones.settings import build_backbone
from shared.layers.exact_match_embedding import ExactMatchEmbedding
from shared.losses import divergence
from shared.losses.cross_entropy import cross_entropy
from shared.losses.focal import focal
from shared.task import Labels
from shared.text.vocabulary import CLS, SEP, Vocabulary
from shared.training.loss import Loss

MASKED = -1e9  # finite, so that a sure mistake has a finite loss


def build(settings: Settings, vocabulary: Vocabulary, labels: Labels) -> keras.Model:
    """Returns the network, initialised from scratch with train.seed.

    Inputs: token_ids, segment_ids: (batch, length) int32, 0 where padded; 1 in the latter at the passage part and the
        [SEP] behind it.
    Outputs: start_logits, end_logits: (batch, length) float32, -1e9 at all but the passage's tokens and, with
        train.no_answer, [CLS].
    """
    model, seed = settings.model, settings.train.seed
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    segment_ids = keras.Input((None,), dtype="int32", name="segment_ids")
    backbone = build_backbone(model.backbone, len(vocabulary), seed, model.last_layers)
    matches = None
    if model.exact_match:
        embedding = ExactMatchEmbedding(backbone.embedding_width, vocabulary.special_ids, name="exact_match")
        matches = embedding(token_ids, segment_ids)
    hidden = backbone(token_ids, segment_ids, padding_mask=ops.not_equal(token_ids, 0), extra=matches)
    start = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed + 1001)
    logits = keras.layers.Dense(2, kernel_initializer=start, dtype="float32", name="span_head")(hidden)
    allowed = ops.logical_and(ops.equal(segment_ids, 1), ops.not_equal(token_ids, vocabulary.ids[SEP]))
    if settings.train.no_answer:
        allowed = ops.logical_or(allowed, ops.equal(token_ids, vocabulary.ids[CLS]))
    outputs = {
        name: ops.where(allowed, logits[:, :, index], MASKED)
        for index, name in enumerate(("start_logits", "end_logits"))
    }
    return keras.Model({"token_ids": token_ids, "segment_ids": segment_ids}, outputs, name="lic2020_mrc")


def loss(settings: Settings) -> Loss:
    """Returns the mean over windows of half the sum of the cross-entropies, or focal losses, of first and last token.

    targets: start, end (batch,) int32; outputs: see `build`. Rows of weight 0 count nothing.
    """
    train = settings.train

    def one_end(target, logits):
        if train.loss == "focal":
            return focal(logits, target, train.focal_gamma)
        return cross_entropy(logits, target, train.label_smoothing)  # (batch,)

    def weights(targets, sample_weight):
        return {"windows": ops.sum(sample_weight)}

    def sums(targets, outputs, sample_weight):
        losses = one_end(targets["start"], outputs["start_logits"])
        losses = (losses + one_end(targets["end"], outputs["end_logits"])) / 2.0
        return {"windows": ops.sum(losses * sample_weight)}

    def apart(targets, outputs, other, sample_weight):
        start, end = (divergence.categorical(outputs[name], other[name]) for name in ("start_logits", "end_logits"))
        return {"windows": ops.sum((start + end) / 2.0 * sample_weight)}

    return Loss(weights, sums, apart)
