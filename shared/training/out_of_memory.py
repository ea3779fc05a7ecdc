"""What to do when a step does not fit into the memory: the same step in smaller pieces."""

import re

from shared.errors import UserError

_EXHAUSTED = re.compile(r"RESOURCE_EXHAUSTED|OOM when allocating|out of memory|OUT_OF_MEMORY|bad_alloc", re.IGNORECASE)
_NOT_MEMORY = re.compile(r"no space left|disk quota|too many open files|larger than max", re.IGNORECASE)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error, or one that it was raised from, means that memory ran out, of the host or of a device.

    Known are Python's and NumPy's MemoryError, TensorFlow's ResourceExhaustedError (which full disks have too) and
    InternalError, and JAX's JaxRuntimeError. No backend is imported. A Linux host lends more than it has, and kills the
    process later, without an error; therefore the estimate in `shared.training.memory`.
    """
    if isinstance(error, MemoryError):
        return True
    kinds, text = {kind.__name__ for kind in type(error).__mro__}, str(error)
    ours = bool(kinds & {"OpError", "RuntimeError"}) and bool(_EXHAUSTED.search(text))
    if ("ResourceExhaustedError" in kinds or ours) and not _NOT_MEMORY.search(text):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def next_micro_batches(current: int, rows: int, devices: int) -> int:
    """Returns into how many micro-batches to cut the step next: at least twice as many, each of equally many rows.

    Args: current: micro-batches that did not fit. rows: of the global batch, a multiple of devices.
    Returns: the smallest divisor of a device's rows from 2 * current on: 24 rows go as 1, 2, 4, 8, 24.
    Raises: UserError if a micro-batch has one row already; ValueError if devices do not divide rows.
    """
    if rows % devices:
        raise ValueError(f"{rows} rows do not divide among {devices} devices.")
    held = rows // devices
    if current >= held:
        raise UserError(
            f"out of memory, with a single row a micro-batch ({rows} rows a step on {devices} device"
            f"{'s' if devices > 1 else ''}). Set hardware.recompute: true if it is false, shorten the longest texts "
            "(data.max_length or data.window), or take a smaller model.backbone."
        )
    return next(count for count in range(min(2 * current, held), held + 1) if held % count == 0)


def smaller_pieces(rows: int, width: int, devices: int, micro_batches: int) -> str:
    """Returns what to tell the user when a step of rows x width tokens is repeated in so many micro-batches."""
    each = rows // devices // micro_batches
    return (
        f"out of memory at {rows} rows x {width} tokens: this step again, and all after it, in {micro_batches} "
        f"micro-batches of {each} row{'s' if each > 1 else ''}{' a device' if devices > 1 else ''}. The result is the "
        "same, the step somewhat slower; a smaller train.batch_size would spare memory too, or hardware.recompute."
    )


def indivisible(rows: int) -> UserError:
    """Returns what to tell the user when a step does not fit and its loss cannot be computed in parts (Loss)."""
    return UserError(
        f"out of memory at {rows} rows a step, and this train.loss counts over all of them, so that they cannot "
        "be taken in smaller parts. Lower train.batch_size, set hardware.recompute: true, or take another train.loss."
    )


def out_of_reach(error: BaseException) -> UserError:
    """Returns what to tell the user when memory ran out where a step cannot be taken again.

    That is so for a shape that has fitted before, whose state may be lost, and where other hosts wait in the same step.
    """
    cause = str(error).splitlines()[0][:200] if str(error) else repr(error)
    return UserError(
        f"out of memory in the middle of training: {cause}. Start the same command again: it goes on from the last "
        "state saved. If it happens again, lower train.batch_size (or train.batch_tokens) or switch hardware.recompute "
        "on, and see what else takes memory on this machine."
    )
