import signal
import subprocess
import sys
import threading

import pytest

from shared.errors import UserError
from shared.training.interruption import Interrupted, Interruption, Told
from tests.conftest import REPOSITORY


@pytest.fixture(autouse=True)
def handlers():
    """Known handlers before, and those of pytest after each test."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    outer = [signal.signal(number, signal.default_int_handler) for number in numbers]
    yield
    for number, handler in zip(numbers, outer, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_becomes_a_flag(name):
    with Interruption() as stop:
        assert stop.requested is None
        signal.raise_signal(signal.Signals[name])
        assert stop.requested == name


def test_a_second_sigint_ends_at_once():
    with Interruption() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.requested == "SIGINT"


def test_sigint_while_stopping_for_sigterm_ends_at_once():
    with Interruption() as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.requested == "SIGTERM"


def test_a_second_sigterm_changes_nothing():
    with Interruption() as stop:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested == "SIGTERM"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_work_that_can_be_lost_is_broken_off_once(name):
    def work():
        try:
            signal.raise_signal(signal.Signals[name])
        finally:
            signal.raise_signal(signal.SIGTERM)

    with Interruption() as stop:
        with pytest.raises(Told), stop.at_once():
            work()
        assert stop.requested == name


def test_work_that_can_be_lost_is_not_begun_after_a_signal():
    begun = []
    with Interruption() as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Told), stop.at_once():
            begun.append(True)
    assert begun == []


def test_after_such_work_a_signal_is_a_flag_again():
    with Interruption() as stop:
        with stop.at_once():
            pass
        signal.raise_signal(signal.SIGTERM)
        assert stop.requested == "SIGTERM"


def test_the_handlers_of_before_are_back_afterwards_also_after_an_error():
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append("ours"))
    with pytest.raises(ZeroDivisionError), Interruption():
        raise ZeroDivisionError
    signal.raise_signal(signal.SIGTERM)
    assert seen == ["ours"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_ignored_signal_stays_ignored():
    """As `nohup` and the `&` of scripts set it up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested is None
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_handler_that_python_does_not_know_gives_way_to_the_default(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    with Interruption():
        pass
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_outside_the_main_thread_nothing_happens():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with Interruption() as stop:
            seen.append((signal.getsignal(signal.SIGTERM), stop.requested))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


def test_a_real_signal_from_outside_is_seen_between_two_steps():
    code = (
        "import time\n"
        "from shared.training.interruption import Interruption\n"
        "with Interruption() as stop:\n"
        "    print('ready', flush=True)\n"
        "    while not stop.requested:\n"
        "        time.sleep(0.01)\n"
        "print(stop.requested)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "SIGTERM\n")


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_the_stage_ends_with_the_message_and_status_of_the_signal(name, status):
    error = Interrupted(name, 12)
    assert isinstance(error, UserError)
    assert str(error) == f"stopped by {name} after step 12; the state is saved: run the same command to go on"
    assert error.status == status


def test_a_state_that_was_not_saved_is_not_promised():
    assert "after step 12; the state could not be saved" in str(Interrupted("SIGTERM", 12, saved=False))
