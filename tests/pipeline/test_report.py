"""Reports made for real, of a small community, in a project of its own."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import nbformat
import pyarrow as pa
import pypdfium2
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.cli import main
from workbench.config import Settings
from workbench.errors import InvalidArgument
from workbench.events import Event, to_table
from workbench.pipeline.report import again, make
from workbench.reports import moved, pins
from workbench.store.lake import LakeStore

GIVEN = "lake = 'data/lake'\nknown_at = None  # type: str\nuntil = None  # type: str"
OPEN = "from workbench.reports import parts\nbench = parts.opened(lake, known_at)"
ASK = "active = bench.active_users(until=until, now=until)\nfunnel = bench.funnel(['user_joined', 'view'], now=until)"
END = datetime(2026, 11, 10, tzinfo=UTC)
SECRETS = {
    "SMTP_PASSWORD": "smtp-hunter-1", "MY_TOKEN": "tok-hunter-2", "AWS_SECRET_ACCESS_KEY": "aws-hunter-3",
    "SOME_API_KEY": "key-hunter-4", "DB_PASSWD": "pwd-hunter-5",
}  # fmt: skip


def events(people, *, suffix=""):
    found = []
    for number in range(people):
        at = END - timedelta(days=9 - number % 7, hours=number % 5 + 1)
        for offset, kind in enumerate(("user_joined", "view", "purchase")):
            found.append(
                Event(
                    event_id=f"{number}{kind}{suffix}", event_type=kind, user_id=f"u{number}{suffix}",
                    occurred_at=at + timedelta(minutes=offset), value=5.0 if kind == "purchase" else None,
                )
            )  # fmt: skip
    return found


def add(root, found, start):
    table = to_table(found).append_column("position", pa.array(range(start, start + len(found)), pa.int64()))
    store = LakeStore(root / "data/lake")
    store.append(table, source="s", start=start, end=start + len(found), ingested_at=datetime.now(UTC))
    return store


def notebook(root, *cells):
    nb = new_notebook(metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}})
    nb.cells = [new_markdown_cell("# Mine\n\nA test."), new_code_cell(GIVEN), new_code_cell(OPEN)]
    nb.cells[1].metadata["tags"] = ["parameters"]
    nb.cells += [new_code_cell(cell) for cell in cells]
    nb.cells[-1].metadata["tags"] = ["chart"]
    nbformat.write(nb, root / "mine.ipynb")


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "workbench.yaml").touch()
    monkeypatch.chdir(tmp_path)
    add(tmp_path, events(40), 0)
    notebook(tmp_path, ASK, "active.plot()")
    catalogued(tmp_path)
    return tmp_path


def catalogued(root, **more):
    entry = {"title": "My report", "notebook": "mine.ipynb", "formats": ["html"], **more}
    (root / "reports.yaml").write_text(yaml.safe_dump({"reports": {"mine": entry}}))


def made(root, **options):
    return make("mine", store=str(root / "data/lake"), settings=Settings(), **options)


def test_a_report_says_what_it_was_made_from_and_keeps_its_numbers(project):
    done = made(project)
    kept = pins.Pins.read(done.folder)
    assert (kept.status, kept.until, [answer.name for answer in kept.answers]) == (
        "succeeded", "2026-11-07", ["active", "funnel"],
    )  # fmt: skip
    frame = pins.frame(done.folder, "funnel")
    assert frame["users"].tolist() == [40, 40]  # the last day has an event in its last hour, and so is whole
    assert pins.frame_hash(frame) == kept.answers[1].frame_hash
    page = done.page.read_text()
    assert "<script" not in page
    assert "pinned" not in page
    assert 'src="data:image/svg+xml' in page


def test_made_again_it_has_the_same_numbers_whatever_came_since(project):
    first = made(project)
    add(project, events(30, suffix="late"), 120).maintain(full=True)
    same = again(first.folder.name, store=str(project / "data/lake"), settings=Settings())
    assert moved.between(first.folder, same.folder).answers_moved == ()
    assert moved.between(first.folder, same.folder).same == 2


def test_what_moved_is_named_and_why(project):
    first = made(project)
    add(project, events(30, suffix="late"), 120)
    second = made(project)
    found = moved.between(first.folder, second.folder)
    users = found.frame[(found.frame["answer"] == "funnel") & (found.frame["column"] == "users")]
    assert [*zip(users["row"], users["before"], users["after"], strict=True)] == [
        ("1 user_joined", 40, 70), ("2 view", 40, 70),
    ]  # fmt: skip
    assert "1 user_joined users: 40 → 70" in found.told()
    told = moved.why(first.folder, second.folder, names=["active"], store=str(project / "data/lake"))
    assert "late events" in told


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_paper_has_all_of_it_and_tiles_are_pictures(project):
    catalogued(project, formats=["html", "pdf", "png"], tiles=["chart"])
    done = made(project)
    assert done.pins.files == ("mine.html", "mine.pdf", "mine-chart.png")
    with pypdfium2.PdfDocument(done.folder / "mine.pdf") as pdf:
        text = "".join(page.get_textpage().get_text_range() for page in pdf)
    assert "Mine" in text
    assert (done.folder / "mine-chart.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_browser_the_page_is_there_and_what_is_missing_is_said(project, monkeypatch):
    catalogued(project, formats=["html", "pdf"])
    monkeypatch.setattr("workbench.reports.paper.BROWSERS", ("no-such-browser",))
    with pytest.raises(SystemExit):
        main(("report", "run", "mine"))
    [folder] = (project / "reports").glob("mine-*")
    assert (folder / "mine.html").exists()


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("1 / 0", "raised ZeroDivisionError"),
        ("import os; os.kill(os.getpid(), 9)", "its kernel died"),
        ("import time; time.sleep(60)", "timed out"),
    ],
)
def test_one_that_fails_is_called_failed_and_kept_as_far_as_it_came(project, cell, why, capsys):
    notebook(project, ASK, cell)
    catalogued(project, timeout_seconds=3, to=[f"folder:{project}/out"])
    with pytest.raises(SystemExit) as stop:
        main(("report", "run", "mine", "--deliver"))
    assert stop.value.code == 1
    assert why in capsys.readouterr().err
    [folder] = (project / "reports").glob("mine-*")
    kept = pins.Pins.read(folder)
    assert (kept.status, why in kept.detail) == ("failed", True)
    assert "failed" in (folder / "mine.html").read_text()
    assert not (project / "out").exists()


def test_a_hundred_megabytes_of_output_make_no_page_of_a_hundred_megabytes(project):
    notebook(project, "for _ in range(100): print('x' * (1 << 20))")
    done = made(project)
    assert done.pins.status == "succeeded"
    assert sum(file.stat().st_size for file in done.folder.rglob("*") if file.is_file()) < 25 << 20
    assert "characters are left out" in done.page.read_text()


def test_secrets_that_a_cell_prints_are_in_no_file(project, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WORKBENCH_DELIVERY__SMTP_PASSWORD", "set-hunter-6")
    notebook(
        project, "import os\nfor name, value in os.environ.items(): print(name, value)",
        f"raise ValueError('{' '.join(SECRETS.values())} set-hunter-6')",
    )  # fmt: skip
    done = make("mine", store=str(project / "data/lake"), settings=Settings())
    found = [
        (file.name, secret)
        for file in (project / "reports").rglob("*")
        if file.is_file()
        for secret in [*SECRETS.values(), "set-hunter-6"]
        if secret.encode() in file.read_bytes()
    ]
    assert done.pins.status == "failed"
    assert found == []


def test_it_is_listed_shown_and_sent(project, capsys):
    done = made(project)
    for words, said in (
        (("report", "list"), "My report"),
        (("report", "show", "mine"), "active (active_users"),
        (("report", "deliver", "mine", "--to", f"folder:{project}/out"), "delivered"),
        (("report", "again", "mine"), "2 answers have the same numbers"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert (stop.value.code or 0, said in capsys.readouterr().out) == (0, True)
    assert (project / "out" / done.folder.name / "mine.html").exists()
    assert json.loads((project / "reports" / done.folder.name / "run.json").read_text())["status"] == "succeeded"


def test_one_that_is_not_there_is_said(project):
    with pytest.raises(InvalidArgument, match="no report begins with 'none'"):
        again("none", store=str(project / "data/lake"), settings=Settings())
