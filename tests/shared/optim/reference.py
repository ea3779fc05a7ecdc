"""Optimizers and their wrappers in NumPy and float64, each a function from one step to the next.

A step is `step(thetas, gradients, t) -> thetas`; t is its number from 1. Closures keep the state.
"""

import numpy as np

RATE = 0.05
NAMES = {
    "backbone/embedding/token_embedding": (5, 3),
    "backbone/block_0/kernel": (3, 3),
    "backbone/block_1/kernel": (3, 2),
    "backbone/block_1/norm/gamma": (3,),
    "head/kernel": (3, 2),
    "head/bias": (2,),
}
PLAIN = ["backbone/block_1/norm/gamma", "head/bias"]  # that decay and adaptation leave alone


def rate(t):
    """Linear from 1 to a fifth of RATE over 10 steps."""
    return RATE * (1 - 0.8 * (t - 1) / 10)


def adam(decay=0.0):
    m, v = {}, {}

    def step(thetas, gradients, t):
        moved = {}
        for name, g in gradients.items():
            m[name] = 0.9 * m.get(name, 0.0) + 0.1 * g
            v[name] = 0.999 * v.get(name, 0.0) + 0.001 * g**2
            # epsilon beside the uncorrected root, as Kingma & Ba before section 2.1 and Keras
            size = rate(t) * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            shrunk = rate(t) * decay * thetas[name] if name not in PLAIN else 0.0
            moved[name] = thetas[name] - shrunk - size * m[name] / (np.sqrt(v[name]) + 1e-6)
        return moved

    return step


def radam():
    """PyTorch's way round: moments corrected first, epsilon moved to where the kit has it."""
    m, v = {}, {}

    def step(thetas, gradients, t):
        moved = {}
        longest = 2 / (1 - 0.999) - 1
        length = longest - 2 * t * 0.999**t / (1 - 0.999**t)
        for name, g in gradients.items():
            m[name] = 0.9 * m.get(name, 0.0) + 0.1 * g
            v[name] = 0.999 * v.get(name, 0.0) + 0.001 * g**2
            direction = m[name] / (1 - 0.9**t)
            if length > 4:
                rectified = ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
                direction = direction * rectified * np.sqrt(1 - 0.999**t) / (np.sqrt(v[name]) + 1e-6)
            moved[name] = thetas[name] - rate(t) * direction
        return moved

    return step


def sgd(momentum=0.9):
    velocity = {}

    def step(thetas, gradients, t):
        for name, g in gradients.items():
            velocity[name] = momentum * velocity.get(name, 0.0) - rate(t) * g
        return {name: theta + velocity[name] for name, theta in thetas.items()}

    return step


def lion():
    m = {}

    def step(thetas, gradients, t):
        moved = {}
        for name, g in gradients.items():
            old = m.get(name, 0.0)
            moved[name] = thetas[name] - rate(t) * np.sign(0.9 * old + 0.1 * g)
            m[name] = 0.99 * old + 0.01 * g
        return moved

    return step


def rmsprop():
    v = {}

    def step(thetas, gradients, t):
        for name, g in gradients.items():
            v[name] = 0.9 * v.get(name, 0.0) + 0.1 * g**2
        return {name: thetas[name] - rate(t) * g / np.sqrt(v[name] + 1e-7) for name, g in gradients.items()}

    return step


def adafactor(decay=0.0):
    """Shazeer & Stern 2018, algorithms 4 and 5, relative steps of at most the rate; they are relative to what decay
    leaves, as Keras decays first."""
    rows, columns, whole = {}, {}, {}

    def step(thetas, gradients, t):
        moved, beta = {}, 1 - t**-0.8
        for name, g in gradients.items():
            square = g**2 + 1e-18
            if g.ndim > 1:
                rows[name] = beta * rows.get(name, 0.0) + (1 - beta) * square.mean(axis=-1)
                columns[name] = beta * columns.get(name, 0.0) + (1 - beta) * square.mean(axis=-2)
                v = np.outer(rows[name], columns[name]) / rows[name].mean()
            else:
                v = whole[name] = beta * whole.get(name, 0.0) + (1 - beta) * square
            u = g / np.sqrt(v)
            u = u / max(1.0, rms(u))
            theta = thetas[name] * (1 - (0.0 if name in PLAIN else rate(t) * decay))
            moved[name] = theta - max(1e-3, rms(theta)) * min(rate(t), t**-0.5) * u
        return moved

    return step


def rms(x):
    return np.sqrt(np.mean(x**2))


def weight_decay(inner, decay):
    def step(thetas, gradients, t):
        moved = inner(thetas, gradients, t)
        return {
            name: new - (0.0 if name in PLAIN else rate(t) * decay * thetas[name]) for name, new in moved.items()
        }  # fmt: skip

    return step


def layer_adaptation(inner):
    def step(thetas, gradients, t):
        moved = inner(thetas, gradients, t)
        for name, new in moved.items():
            old, size = thetas[name], np.linalg.norm(new - thetas[name])
            if name not in PLAIN and size and np.linalg.norm(old):
                moved[name] = old + (new - old) / size * rate(t) * np.linalg.norm(old)
        return moved

    return step


def scaled(inner, factor):
    """factor(name, t): on the displacement."""

    def step(thetas, gradients, t):
        moved = inner(thetas, gradients, t)
        return {name: thetas[name] + factor(name, t) * (new - thetas[name]) for name, new in moved.items()}

    return step


def lookahead(inner, steps, share):
    slow = {}

    def step(thetas, gradients, t):
        if not slow:
            slow.update(thetas)
        moved = inner(thetas, gradients, t)
        if t % steps == 0:
            for name, new in moved.items():
                slow[name] = (1 - share) * slow[name] + share * new
            return dict(slow)
        return moved

    return step


def lazy(inner, table):
    def step(thetas, gradients, t):
        moved = inner(thetas, gradients, t)
        for row, g in enumerate(gradients[table]):
            if not g.any():
                moved[table] = moved[table].copy()
                moved[table][row] = thetas[table][row]
        return moved

    return step


def ema(history, a):
    """The average of all weights so far: history is one array a step."""
    shares = (1 - a) * a ** np.arange(len(history))[::-1] / (1 - a ** len(history))
    return np.tensordot(shares, np.array(history), axes=1)


def swa(history, start, every):
    taken = history[start - 1 :: every]
    return np.mean(taken, axis=0) if len(taken) else history[-1]
