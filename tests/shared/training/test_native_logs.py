import os

import pytest

from shared.training.native_logs import without_chatter

CHATTER = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    "I0000 00:00:1.2   1 port.cc:153] oneDNN custom operations are on. You may see slightly different results.\n"
    "I0000 00:00:1.3   1 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.\n"
)
NEWS = "W0000 00:00:1.4   1 memory.cc:1] something else\nplain words\n"


def test_only_the_known_lines_are_dropped(capfd):
    with without_chatter():
        os.write(2, (CHATTER + NEWS).encode())
    assert capfd.readouterr().err == NEWS


def test_everything_is_shown_if_the_block_fails(capfd):
    @without_chatter()
    def failing():
        os.write(2, CHATTER.encode())
        raise ImportError

    with pytest.raises(ImportError):
        failing()
    assert capfd.readouterr().err == CHATTER


def test_standard_error_is_back_afterwards(capfd):
    with without_chatter():
        pass
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"
