"""Programs are run without a shell and leave nobody behind."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from cicd_actions.errors import ActionError
from cicd_actions.process import run


def test_output_exit_code_and_odd_bytes_come_back() -> None:
    code = "import sys; sys.stdout.buffer.write(b'a\\xffb'); print('e', file=sys.stderr); sys.exit(3)"
    done = run([sys.executable, "-c", code])
    assert (done.returncode, done.stdout, done.stderr, done.ok) == (3, "a\ufffdb", "e\n", False)


def test_input_is_given_and_nothing_is_expanded() -> None:
    done = run([sys.executable, "-c", "import sys; print(sys.argv[1] + sys.stdin.read())", "$HOME `id`;"], input="!")
    assert done.stdout == "$HOME `id`;!\n"


def test_a_missing_program_is_an_error_that_names_it() -> None:
    with pytest.raises(ActionError, match="no-such-program"):
        run(["no-such-program"])


def test_a_timeout_ends_the_grandchildren_too(tmp_path: Path) -> None:
    mark = tmp_path / "late"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    started = time.monotonic()
    done = run([sys.executable, "-c", code], timeout=0.5)
    assert done.timed_out
    assert not done.ok
    assert time.monotonic() - started < 10
    time.sleep(2.2)
    assert not mark.exists()


def test_lines_come_as_they_are_printed() -> None:
    seen: list[tuple[str, float]] = []
    code = "import time; print('one', flush=True); time.sleep(0.6); print('two\\xff')"
    done = run(
        [sys.executable, "-c", code], merge_stderr=True, listen=lambda line: seen.append((line, time.monotonic()))
    )
    assert [line for line, _ in seen] == ["one", "two\xff"]
    assert seen[1][1] - seen[0][1] > 0.4
    assert done.ok
    assert done.stdout == "one\ntwo\xff\n"


def test_listening_ends_with_the_timeout() -> None:
    seen: list[str] = []
    code = "import time; print('one', flush=True); time.sleep(30)"
    started = time.monotonic()
    done = run([sys.executable, "-c", code], merge_stderr=True, timeout=0.5, listen=seen.append)
    assert done.timed_out
    assert seen == ["one"]
    assert time.monotonic() - started < 10
