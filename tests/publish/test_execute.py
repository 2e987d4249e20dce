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
# A shell's background job, and what it starts, would ignore Ctrl-C.
HEARS = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
START = 'import ethnicmer_lib as em\np = em.parameters("statistics", globals())'
FIND = """\
from ethnicmer_lib.paper.findings import Finding
words = {"chapter": "statistics", "question": "why?", "answer": "so", "verdict": "reproduced", "reason": "a rule"}
known = {"key": "why", "source": "here", "simulated": True, "mode": "ours", "low": None, "high": None}
em.save_findings([Finding(**words, **known, estimate=float(p.seed))])"""


def run(seed: int = 0) -> tuple[str, list[str]]:
    """All output of the page as text, and what was said."""
    said: list[str] = []
    p = chapters.resolve(STATISTICS, "quick", {"seed": seed})
    notebook = execute.run(STATISTICS, p, say=said.append)
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


def test_a_new_recording_makes_pages_run_again(small_book):
    p = chapters.resolve(STATISTICS)
    before = execute.key(STATISTICS, p)
    note = chapters.project_root() / "results" / "t" / "record.json"
    note.parent.mkdir(parents=True)
    note.write_text("{}")
    assert execute.key(STATISTICS, p) != before


def test_a_failing_cell_is_named_and_a_study_error_speaks_for_itself(small_book):
    small_book.write("1 / 0")
    with pytest.raises(StudyError, match=r"statistics.md, cell 2: ZeroDivisionError: division by zero"):
        run()
    small_book.write(START, "em.open_clips('nowhere')")
    with pytest.raises(StudyError, match=r"statistics.md, cell 3: source='nowhere' is unknown"):
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
    code = HEARS + (
        "from ethnicmer_lib.publish import build, chapters\none = chapters.chapter('statistics')\n"
        "build._run({one: chapters.resolve(one)}, print)"
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
    code = HEARS + (
        "import os\nfrom ethnicmer_lib.publish import build, chapters, execute\n"
        "one = chapters.chapter('statistics')\nwritten = execute.written\n"
        "def interrupted(*given):\n    os.kill(os.getpid(), signal.SIGINT)\n    return written(*given)\n"
        "execute.written = interrupted\n"  # what papermill is told, right before it starts the kernel
        "build._run({one: chapters.resolve(one)}, print)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "KeyboardInterrupt" in done.stderr


def test_findings_lie_in_the_notebook_and_a_page_about_all_runs_what_is_missing(small_book, monkeypatch):
    small_book.write(START, FIND)
    p = chapters.resolve(STATISTICS, "quick", {"seed": 5})
    monkeypatch.setattr(saved, "shown_by", lambda page: [(STATISTICS, p)])
    (found,) = saved.all_findings(None)
    assert (found.chapter, found.estimate) == ("statistics", 5.0)
    shown, said = run(5)
    assert said == ["statistics: up to date"]
    assert saved.all_findings(None) == [found]
    # In a notebook, whose own thread has an event loop that runs.
    inside = (
        "from ethnicmer_lib.publish import chapters, execute, saved\none = chapters.chapter('statistics')\n"
    )
    inside += (
        "if p.seed < 7:\n    print(execute.run(one, chapters.resolve(one, 'quick', {'seed': p.seed + 1})))\n"
    )
    small_book.write(START, FIND, inside + "p.seed")
    shown, _ = run(6)
    assert "seed = 7" in shown
    assert "statistics: run in" in shown


@pytest.mark.skipif(os.name != "posix", reason="kernels talk over ports here")
def test_a_kernel_talks_over_files_of_its_own_that_nobody_else_can_open(small_book):
    small_book.write(
        "import pathlib, ipykernel\nplace = pathlib.Path(ipykernel.get_connection_info(unpack=True)['ip'])\n"
        "with open('places.txt', 'a') as file: print(place, oct(place.parent.stat().st_mode & 0o077), file=file)"
    )
    run(1), run(2)
    lines = (small_book.page.parent / "places.txt").read_text().split()
    names, open_to_others = lines[::2], lines[1::2]
    assert len(set(names)) == 2
    for name in names:
        assert Path(name).is_absolute()
        assert len(name) < 90  # the system's limit is about 100 characters
        assert not Path(name).parent.exists()
    assert set(open_to_others) == {"0o0"}
