"""A linear-chain CRF over a batch, step by step in log space, as PyTorch users write it."""

import torch
from torch import nn


class CRF(nn.Module):
    """Transition scores between labels. logits: (batch, length, labels) float32; mask: (batch, length) bool, rows full
    from the left."""

    def __init__(self, labels: int):
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(labels, labels))  # from, to

    def negative_log_likelihood(self, logits: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Returns the mean over rows: scalar. labels: (batch, length) int64."""
        score = logits.gather(2, labels[..., None])[..., 0]  # (batch, length)
        score[:, 1:] = score[:, 1:] + self.transitions[labels[:, :-1], labels[:, 1:]]
        score = (score * mask).sum(dim=1)
        alpha = logits[:, 0]
        for step in range(1, logits.shape[1]):
            following = torch.logsumexp(alpha[:, :, None] + self.transitions, dim=1) + logits[:, step]
            alpha = torch.where(mask[:, step, None], following, alpha)
        return (torch.logsumexp(alpha, dim=1) - score).mean()

    def best(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Returns the best label sequences, by Viterbi: (batch, length) int64, 0 where masked."""
        batch, length, count = logits.shape
        score, origins = logits[:, 0], []
        stay = torch.arange(count).expand(batch, count)
        for step in range(1, length):
            best, origin = (score[:, :, None] + self.transitions).max(dim=1)  # (batch, labels)
            real = mask[:, step, None]
            score = torch.where(real, best + logits[:, step], score)
            origins.append(torch.where(real, origin, stay))
        label = score.argmax(dim=1)
        path = [label]
        for origin in reversed(origins):
            label = origin.gather(1, label[:, None])[:, 0]
            path.append(label)
        return torch.stack(path[::-1], dim=1) * mask
