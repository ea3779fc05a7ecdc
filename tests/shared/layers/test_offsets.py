import numpy as np
import pytest
from keras import ops

from shared.layers.offsets import shifted, shifting
from tests.conftest import to_numpy

TABLE = np.array([[1.0, 2.0]], "float32")


def test_outside_of_any_context_the_table_comes_back_as_it_is():
    assert shifted("token_embedding", TABLE) is TABLE


def test_only_the_table_of_the_name_is_shifted_and_only_within_the_block():
    with shifting({"token_embedding": TABLE}):
        assert to_numpy(shifted("token_embedding", TABLE)).tolist() == [[2.0, 4.0]]
        assert shifted("segment_embedding", TABLE) is TABLE
        with shifting({}):
            assert shifted("token_embedding", TABLE) is TABLE
        with pytest.raises(RuntimeError), shifting({}):
            raise RuntimeError
        assert to_numpy(shifted("token_embedding", TABLE)).tolist() == [[2.0, 4.0]]
    assert shifted("token_embedding", TABLE) is TABLE


def test_the_offset_takes_the_dtype_of_the_table():
    table = ops.convert_to_tensor(TABLE, "bfloat16")
    with shifting({"token_embedding": TABLE}):
        assert shifted("token_embedding", table).dtype == table.dtype
