"""A notebook is run once for all that it depends on; its progress is seen; a run that is ended goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ethnicmer_lib.errors import StudyError
from ethnicmer_lib.publish import chapters, execute, saved

STATISTICS = chapters.chapter("statistics")
START = 'import ethnicmer_lib as em\np = em.parameters("statistics", globals())'
FIND = """\
from ethnicmer_lib.paper.findings import Finding
words = {"chapter": "statistics", "question": "why?", "answer": "so", "verdict": "reproduced", "reason": "a rule"}
known = {"key": "why", "source": "here", "simulated": True, "mode": "ours", "low": None, "high": None}
em.save_findings(p, [Finding(**words, **known, estimate=float(p.seed))])"""


def run(seed: int = 0, **options) -> tuple[str, list[str]]:
    """All output of the page as text, and what was said."""
    said: list[str] = []
    p = chapters.resolve(STATISTICS, "quick", {"seed": seed})
    notebook = execute.run(STATISTICS, p, say=said.append, **options)
    return str(notebook), said


def test_a_notebook_is_run_once_and_a_new_sentence_is_shown_without_a_run(small_book, capsys):
    small_book.write(
        START, "from tqdm import tqdm\nlist(tqdm(range(3), desc='counting'))\n'the seed', p.seed"
    )
    shown, said = run(3)
    assert "('the seed', 3)" in shown
    assert "statistics: run in" in said[0]
    assert "statistics: counting: 100%" in capsys.readouterr().err
    assert "counting: 100%" not in shown, "progress is for the terminal"
    small_book.page.write_text(small_book.page.read_text().replace("Once upon a time", "Today"))
    again, said = run(3)
    assert said == ["statistics: up to date"]
    assert "Today" in again
    assert "('the seed', 3)" in again
    assert "seed = 3" in again, "the page says with what it was run"
    small_book.write(START, "'another cell'")
    assert "run in" in run(3)[1][0]


def test_a_failing_cell_is_named_and_a_study_error_speaks_for_itself(small_book):
    small_book.write("1 / 0")
    with pytest.raises(StudyError, match=r"statistics.md, cell 2: ZeroDivisionError: division by zero"):
        run()
    small_book.write(START, "em.open_clips('nowhere')")
    with pytest.raises(StudyError, match=r"statistics.md, cell 3: source='nowhere' is no name"):
        run()
    small_book.write("import os, signal", "os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(StudyError, match="its kernel was ended from outside"):
        run()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is another thing there")
def test_an_interrupt_ends_the_kernel_and_what_was_kept_is_not_computed_again(small_book):
    small_book.write(
        START,
        "import pathlib, time\nimport pandas as pd\nfrom ethnicmer_lib.store import kept",
        "@kept('store')\ndef slow(n: int) -> pd.DataFrame:\n"
        "    with pathlib.Path('calls.txt').open('a') as file:\n        file.write('computed ')\n"
        "    return pd.DataFrame({'n': [n]})\nslow(1)",
        "pathlib.Path('pid.txt').write_text(str(__import__('os').getpid()))\n"
        "if not pathlib.Path('go').exists(): time.sleep(600)",
    )
    code = (
        "from ethnicmer_lib.publish import build, chapters\none = chapters.chapter('statistics')\n"
        "build._run([one], {one.name: chapters.resolve(one)}, [], print)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    pid = small_book.page.parent / "pid.txt"
    until = time.monotonic() + 120
    while not (pid.exists() and pid.read_text()) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
    kernel = Path("/proc") / pid.read_text()
    assert not kernel.exists()
    (small_book.page.parent / "go").touch()
    assert "run in" in run()[1][0]
    assert (small_book.page.parent / "calls.txt").read_text() == "computed "


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is another thing there")
def test_an_interrupt_also_ends_a_kernel_that_is_about_to_start(small_book):
    small_book.write("import time\ntime.sleep(600)")
    code = (
        "import os, signal\nfrom ethnicmer_lib.publish import build, chapters, execute\n"
        "one = chapters.chapter('statistics')\nwritten = execute.written\n"
        "def interrupted(*given):\n    os.kill(os.getpid(), signal.SIGINT)\n    return written(*given)\n"
        "execute.written = interrupted\n"  # what papermill is told, right before it starts the kernel
        "build._run([one], {one.name: chapters.resolve(one)}, [], print)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "KeyboardInterrupt" in done.stderr


def test_findings_are_saved_by_the_books_own_code_only_and_computed_where_they_are_missing(
    small_book, tmp_path, monkeypatch
):
    small_book.write(START, FIND)
    p = chapters.resolve(STATISTICS, "quick", {"seed": 5})
    (found,) = saved.saved_findings("statistics", p)
    assert (found.chapter, found.estimate) == ("statistics", 5.0)
    assert saved.saved_findings("statistics", p) == [found]
    (path,) = (tmp_path / "findings").iterdir()
    path.unlink()  # the notebook is there, its findings are not
    assert saved.saved_findings("statistics", p) == [found]
    cells = [source for source, _ in execute.code(STATISTICS)]
    other = chapters.resolve(STATISTICS, "quick", {"seed": 6})
    monkeypatch.setattr(saved, "_ran", lambda: [*cells[:2], "p = 'of my own'"])
    saved.save_findings(other, [found])
    assert [one.name for one in (tmp_path / "findings").iterdir()] == [path.name]
    monkeypatch.setattr(saved, "_ran", lambda: cells[:2])
    saved.save_findings(other, [found])
    assert saved.saved_findings("statistics", other) == [found]


@pytest.mark.skipif(os.name != "posix", reason="kernels talk over ports here")
def test_kernels_started_at_once_share_no_socket():
    with execute.kernel_config() as one, execute.kernel_config() as other:
        names = {config.KernelManager.ip for config in (one, other)}
        assert len(names) == 2
        for name in names:
            assert Path(name).is_absolute()
            assert len(name) < 90  # the system's limit is about 100 characters
            assert Path(name).parent.stat().st_mode & 0o077 == 0  # nobody else may connect
    assert not any(Path(name).parent.exists() for name in names)
