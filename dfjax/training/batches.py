"""Which clips make which batch: a pure function of the seed and the step."""

import numpy as np


def balanced_batch(is_fake: np.ndarray, batch_size: int, *, seed: int, step: int) -> np.ndarray:
    """Returns the rows of one batch, the first half real and the second half fake.

    Each class goes round in its own order, drawn anew for every pass, so the classes are 1:1
    whatever the imbalance of the set. Nothing is remembered between steps: a resumed run asks for
    the step at which it stopped, and gets the batch it would have got.

    Args:
      is_fake: [N], 0 or 1, both present.
      batch_size: Even.
      seed: Of the orders.
      step: From 0.

    Returns:
      int64 [batch_size], rows of `is_fake`.
    """
    half = batch_size // 2
    positions = np.arange(step * half, (step + 1) * half)
    batch = []
    for label in (0, 1):
        rows = np.flatnonzero(np.asarray(is_fake) == label)
        epochs, places = positions // len(rows), positions % len(rows)
        orders = {
            epoch: np.random.default_rng((seed, label, epoch)).permutation(rows)
            for epoch in np.unique(epochs)
        }
        batch += [orders[epoch][place] for epoch, place in zip(epochs, places, strict=True)]
    return np.array(batch, np.int64)


def steps_per_epoch(is_fake: np.ndarray, batch_size: int) -> int:
    """Returns the steps in which the larger class is seen once."""
    counts = np.bincount(np.asarray(is_fake), minlength=2)
    return int(np.ceil(counts.max() / (batch_size // 2)))
