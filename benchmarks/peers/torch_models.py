"""The models of the four competitions as a transformers user writes them: BertModel and a head.

Each has `targets(rows, width)`, what a training batch needs beside its tokens, as tensors by name; `loss(batch)`, a
scalar; and `answers(batch)`, how many items were decoded. A batch holds token_ids, segment_ids and mask, (rows, width),
and `rows`. Taggers start out finding nothing, so that the peer has little to decode.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch_crf import CRF
from transformers import BertConfig, BertModel

Batch = dict[str, Any]
RARE = -5.0  # logit of a label at first


def encoder(sizes: dict[str, int], pooled: bool) -> BertModel:
    """Returns a BertModel with fused attention and the dropout that ours has."""
    config = BertConfig(
        vocab_size=sizes["vocabulary"],
        hidden_size=sizes["hidden_dim"],
        num_hidden_layers=sizes["num_layers"],
        num_attention_heads=sizes["num_heads"],
        intermediate_size=sizes["ffn_dim"],
        max_position_embeddings=max(512, sizes["longest"]),
        hidden_dropout_prob=sizes["dropout"],
        attention_probs_dropout_prob=sizes["attention_dropout"],  # above 0 there is no fused attention on CPUs
        attn_implementation="sdpa",
    )
    return BertModel(config, add_pooling_layer=pooled)


class Model(nn.Module):
    """An encoder and what all four have in common.

    Args: problem, data: as written by `benchmarks.peers.problem`.
    """

    def __init__(self, problem: dict[str, Any], data: dict[str, np.ndarray], *, pooled: bool = False):
        super().__init__()
        self.problem, self.data = problem, data
        self.bert = encoder(problem["sizes"], pooled)
        self.dim = problem["sizes"]["hidden_dim"]

    def encoded(self, batch: Batch) -> Any:
        """Returns the encoder's output."""
        return self.bert(batch["token_ids"], attention_mask=batch["mask"], token_type_ids=batch["segment_ids"])

    def targets(self, rows: np.ndarray, width: int) -> Batch:
        """See the module."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> torch.Tensor:
        """See the module."""
        raise NotImplementedError

    def answers(self, batch: Batch) -> int:
        """See the module."""
        raise NotImplementedError


class Classifier(Model):
    """Two classes from the pooled vector."""

    def __init__(self, problem: dict[str, Any], data: dict[str, np.ndarray]):
        super().__init__(problem, data, pooled=True)
        self.head = nn.Linear(self.dim, 2)
        self.dropout = nn.Dropout(problem["sizes"]["dropout"])

    def targets(self, rows: np.ndarray, width: int) -> Batch:
        """Labels, (batch,)."""
        return {"label": torch.from_numpy(self.data["label"][rows])}

    def loss(self, batch: Batch) -> torch.Tensor:
        """Cross-entropy."""
        return F.cross_entropy(self._logits(batch).float(), batch["label"])

    def answers(self, batch: Batch) -> int:
        """Labels of all rows."""
        return len(self._logits(batch).float().softmax(dim=-1).numpy())

    def _logits(self, batch: Batch) -> torch.Tensor:
        return self.head(self.dropout(self.encoded(batch).pooler_output))


class Relations(Model):
    """Subjects, then the objects of given subjects through a layer normalization conditioned on them."""

    def __init__(self, problem: dict[str, Any], data: dict[str, np.ndarray]):
        super().__init__(problem, data)
        self.labels = 2 * problem["relations"]
        self.subject_head, self.object_head = nn.Linear(self.dim, 2), nn.Linear(self.dim, self.labels)
        nn.init.constant_(self.subject_head.bias, RARE)
        nn.init.constant_(self.object_head.bias, RARE)
        self.gain, self.shift = (nn.Linear(2 * self.dim, self.dim, bias=False) for _ in range(2))
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.shift.weight)
        self.norm = nn.LayerNorm(self.dim, eps=1e-12)
        self.rng = np.random.default_rng(0)

    def gold(self, row: int) -> np.ndarray:
        """Returns (values, 5): subject start and end, object start and end, relation."""
        first, last = self.data["span_offsets"][row : row + 2]
        return self.data["spans"][first:last].reshape(-1, 5)

    def subjects_of(self, row: int) -> np.ndarray:
        """Returns the distinct subjects, (subjects, 2), half-open."""
        return np.unique(self.gold(row)[:, :2], axis=0)

    def targets(self, rows: np.ndarray, width: int) -> Batch:
        """Labels of subjects, and of the objects of one drawn subject or of all; pairs: their rows and subjects."""
        subject_labels = np.zeros((len(rows), width, 2), np.float32)
        pairs = []
        for place, row in enumerate(rows):
            subjects = self.subjects_of(row)
            subject_labels[place, subjects[:, 0], 0] = 1
            subject_labels[place, subjects[:, 1] - 1, 1] = 1
            if not self.problem["all_subjects"]:
                subjects = subjects[self.rng.integers(len(subjects), size=min(len(subjects), 1))]
            pairs += [(place, start, end) for start, end in subjects]
        object_labels = np.zeros((len(pairs), width, self.labels), np.float32)
        for pair, (place, start, end) in enumerate(pairs):
            gold = self.gold(rows[place])
            mine = gold[(gold[:, :2] == (start, end)).all(axis=1)]
            object_labels[pair, mine[:, 2], 2 * mine[:, 4]] = 1
            object_labels[pair, mine[:, 3] - 1, 2 * mine[:, 4] + 1] = 1
        return {
            "subject_labels": torch.from_numpy(subject_labels),
            "object_labels": torch.from_numpy(object_labels),
            "pairs": torch.from_numpy(np.array(pairs, np.int64).reshape(-1, 3)),
        }

    def loss(self, batch: Batch) -> torch.Tensor:
        """Binary cross-entropies: mean over tokens, object labels summed."""
        hidden, mask, pairs = self.encoded(batch).last_hidden_state, batch["mask"].float(), batch["pairs"]
        subject = F.binary_cross_entropy_with_logits(
            self.subject_head(hidden).float(), batch["subject_labels"], reduction="none"
        )
        loss = (subject.mean(dim=-1) * mask).sum() / mask.sum()
        if len(pairs):
            objects = F.binary_cross_entropy_with_logits(
                self._object_logits(hidden, pairs).float(), batch["object_labels"], reduction="none"
            )
            real = mask[pairs[:, 0]]
            loss = loss + (objects.sum(dim=-1) * real).sum() / real.sum()
        return loss

    def answers(self, batch: Batch) -> int:
        """Subjects by their probability, then the objects of the gold subjects, whatever was found."""
        hidden = self.encoded(batch).last_hidden_state
        found = np.nonzero((torch.sigmoid(self.subject_head(hidden).float()) > 0.5).numpy())
        pairs = [(place, *span) for place, row in enumerate(batch["rows"]) for span in self.subjects_of(row)]
        if not pairs:
            return len(found[0])
        logits = self._object_logits(hidden, torch.from_numpy(np.array(pairs, np.int64)))
        above = (torch.sigmoid(logits.float()) > 0.5).numpy()
        return sum(len(np.nonzero(above[..., one::2])[0]) for one in (0, 1))

    def _object_logits(self, hidden: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        place, first, last = pairs[:, 0], pairs[:, 1], pairs[:, 2] - 1
        condition = torch.cat([hidden[place, first], hidden[place, last]], dim=-1)[:, None]  # (pairs, 1, 2 dim)
        x = self.norm(hidden)[place]  # without the condition it is the same for all subjects of a row
        return self.object_head(x * (1 + self.gain(condition)) + self.shift(condition))


class Events(Model):
    """A label for each token, by softmax or CRF over the labels of all roles."""

    def __init__(self, problem: dict[str, Any], data: dict[str, np.ndarray], crf: bool):
        super().__init__(problem, data)
        self.head = nn.Linear(self.dim, problem["labels"])
        nn.init.constant_(self.head.bias[1:], RARE)
        self.dropout = nn.Dropout(problem["sizes"]["dropout"])
        self.crf = CRF(problem["labels"]) if crf else None

    def targets(self, rows: np.ndarray, width: int) -> Batch:
        """Labels, (batch, length), 0 where padded."""
        labels = padded(self.data["labels"], self.data["offsets"], rows, width)
        return {"labels": torch.from_numpy(labels)}

    def loss(self, batch: Batch) -> torch.Tensor:
        """Cross-entropy of a token, or the CRF's of a sentence."""
        logits, mask = self._logits(batch), batch["mask"]
        if self.crf is not None:
            return self.crf.negative_log_likelihood(logits, batch["labels"], mask)
        return F.cross_entropy(logits[mask], batch["labels"][mask])

    def answers(self, batch: Batch) -> int:
        """Spans of the best labels."""
        logits, mask = self._logits(batch), batch["mask"]
        best = self.crf.best(logits, mask) if self.crf is not None else logits.argmax(dim=-1) * mask
        return sum(len(bio_spans(row)) for row in best.numpy())

    def _logits(self, batch: Batch) -> torch.Tensor:
        return self.head(self.dropout(self.encoded(batch).last_hidden_state)).float()


class Reader(Model):
    """Scores of tokens as first and last one of the answer."""

    def __init__(self, problem: dict[str, Any], data: dict[str, np.ndarray]):
        super().__init__(problem, data)
        self.head = nn.Linear(self.dim, 2)

    def targets(self, rows: np.ndarray, width: int) -> Batch:
        """First and last token, (batch, 2)."""
        return {"places": torch.from_numpy(self.data["places"][rows])}

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean cross-entropy of both."""
        logits = self._logits(batch)
        return (
            F.cross_entropy(logits[..., 0], batch["places"][:, 0])
            + F.cross_entropy(logits[..., 1], batch["places"][:, 1])
        ) / 2

    def answers(self, batch: Batch) -> int:
        """The best span of each row, of all up to the longest that is allowed."""
        start, end = self._logits(batch).unbind(dim=-1)
        scores = start[:, :, None] + end[:, None, :]  # (batch, first, last)
        allowed = torch.ones(scores.shape[1:], dtype=torch.bool).triu().tril(self.problem["max_answer_length"] - 1)
        best = scores.masked_fill(~allowed, -1e9).flatten(1).argmax(dim=1)
        return len(np.stack(np.divmod(best.numpy(), scores.shape[1]), axis=1))

    def _logits(self, batch: Batch) -> torch.Tensor:
        logits = self.head(self.encoded(batch).last_hidden_state).float()
        return logits.masked_fill((batch["segment_ids"] == 0)[..., None], -1e9)


def build(problem: dict[str, Any], data: dict[str, np.ndarray], head: str) -> Model:
    """Returns the model of problem["name"]; head: `crf` or `softmax` for events."""
    if problem["name"] == "lic2020_ee":
        return Events(problem, data, head == "crf")
    kinds = {"sohu2021": Classifier, "lic2020_re": Relations, "lic2020_mrc": Reader}
    return kinds[problem["name"]](problem, data)


def padded(values: np.ndarray, offsets: np.ndarray, rows: np.ndarray, width: int) -> np.ndarray:
    """Returns rows laid end to end as (rows, width) int64, filled up with 0."""
    result = np.zeros((len(rows), width), np.int64)
    for place, row in enumerate(rows):
        one = values[offsets[row] : offsets[row + 1]]
        result[place, : len(one)] = one
    return result


def bio_spans(labels: np.ndarray) -> list[tuple[int, int, int]]:
    """Returns (kind, start, end) of a row's BIO labels; 2r + 1 begins kind r, 2r + 2 goes on."""
    spans = []
    for start in np.flatnonzero(labels % 2):
        end = start + 1
        while end < len(labels) and labels[end] == labels[start] + 1:
            end += 1
        spans.append((int(labels[start]) // 2, int(start), int(end)))
    return spans
