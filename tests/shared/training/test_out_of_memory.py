import keras
import numpy as np
import pytest
from keras import ops

from shared.errors import UserError
from shared.training.out_of_memory import is_out_of_memory, next_micro_batches, smaller_pieces


class OpError(Exception):
    """As in TensorFlow."""


class ResourceExhaustedError(OpError):
    """As in TensorFlow."""


class JaxRuntimeError(RuntimeError):
    """As in JAX."""


def test_the_backends_own_error_is_recognized():
    with pytest.raises(Exception) as caught:
        ops.convert_to_numpy(ops.ones((1 << 22, 1 << 22)) * 2)  # 64 TiB
    assert is_out_of_memory(caught.value), f"{keras.backend.backend()}: {caught.value!r}"


def test_numpys_error_is_recognized():
    with pytest.raises(MemoryError) as caught:
        np.ones((1 << 22, 1 << 22))
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        ResourceExhaustedError("OOM when allocating tensor with shape[4,4] and type float"),
        ResourceExhaustedError("failed to allocate memory"),
        OpError("CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 70368744177664 bytes."),
        RuntimeError("INTERNAL: Failed to allocate: std::bad_alloc"),
    ],
)
def test_errors_of_devices_are_recognized(error):
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        ResourceExhaustedError("/models/weights: No space left on device"),
        RuntimeError("RESOURCE_EXHAUSTED: Received message larger than max (5 vs. 4)"),
        RuntimeError("shapes do not match"),
        ValueError("RESOURCE_EXHAUSTED"),
        UserError("out of memory"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_are_not(error):
    assert not is_out_of_memory(error)


def test_the_cause_of_an_error_counts():
    error = ValueError("step failed")
    error.__cause__ = MemoryError()
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    ("rows", "devices", "want"),
    [(16, 1, [2, 4, 8, 16]), (24, 1, [2, 4, 8, 24]), (12, 1, [2, 4, 12]), (7, 1, [7]), (16, 4, [2, 4]), (6, 2, [3])],
)
def test_micro_batches_at_least_double_and_divide_what_a_device_holds(rows, devices, want):
    got, current = [], 1
    while current < rows // devices:
        current = next_micro_batches(current, rows, devices)
        got.append(current)
    assert got == want


@pytest.mark.parametrize(("current", "rows", "devices"), [(1, 1, 1), (8, 8, 1), (4, 8, 2), (1, 2, 2)])
def test_a_single_row_that_does_not_fit_is_the_users_to_solve(current, rows, devices):
    with pytest.raises(UserError, match=r"a single row a micro-batch .*hardware.recompute: true.*data.max_length"):
        next_micro_batches(current, rows, devices)


def test_rows_that_devices_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="7 rows do not divide among 2 devices"):
        next_micro_batches(1, 7, 2)


def test_the_message_has_the_shape_and_what_becomes_of_it():
    text = smaller_pieces(32, 512, 2, 4)
    assert "32 rows x 512 tokens" in text
    assert "4 micro-batches of 4 rows a device" in text
    assert "The result is the same" in text
    assert "2 micro-batches of 1 row." in smaller_pieces(2, 8, 1, 2)
