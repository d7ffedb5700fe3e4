"""The Markdown report: a comment that GitHub takes and shows as it is meant, whatever the code holds."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from reports import a_finding, of_fixtures, of_odd_bytes, report_of

from migrate_trainers import FileResult, Kind
from migrate_trainers.reporting import render
from migrate_trainers.reporting.as_markdown import LIMIT
from migrate_trainers.reporting.report import Mode

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def comment(results: dict[Path, FileResult], mode: Mode = Mode.CHECK) -> str:
    return render("markdown", report_of(results, mode)).decode()


def fences(text: str) -> list[str]:
    """The diffs that a reader sees."""
    return [token.content for token in MARKDOWN.parse(text) if token.type == "fence"]


def plain(text: str) -> str:
    """The text that a reader sees."""
    html = MARKDOWN.render(text)
    return re.sub(r"<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_comment(tmp_path: Path) -> None:
    finding = a_finding("`verbose` is gone", line=7, kind=Kind.REVIEW)
    results = {
        Path("src/train.py"): FileResult(b"old\nsame\n", b"new\nsame\n", 2, 2, (finding,)),
        Path("src/other.py"): FileResult(b"x", b"x", 1, 0, (a_finding("can't be followed", kind=Kind.MANUAL),)),
    }

    text = comment(results)

    assert text.startswith(
        "## Migration of Ray Train's removed trainers\n\n2 of 3 legacy trainers would be migrated in "
    )
    assert "| 2 of 3 | 1 | 1 | 0 |" in text
    assert "### `src/train.py`" in text
    assert "- 👀 **MT111** to review, line 7: `verbose` is gone  \n  " in text
    assert "  \n  **What to do:** What to do.\n" in text
    assert "<summary>Diff of src/train.py (+1 −1)</summary>" in text
    assert fences(text) == ["@@ -1,2 +1,2 @@\n-old\n+new\n same\n"]
    assert "would be" not in comment(results, Mode.IN_PLACE)


def test_why_and_what_to_do_is_said_once_for_a_code() -> None:
    result = FileResult(b"", b"", findings=(a_finding(line=1), a_finding(line=2)))

    text = comment({Path("a.py"): result, Path("b.py"): result})

    assert text.count("**MT111** to review") == 4
    assert text.count("**What to do:**") == 1


def test_nothing_found() -> None:
    assert "0 files looked at: no legacy trainer found." in comment({})


@pytest.mark.parametrize(
    "line", ["```", "    ```", "````` x", "~~~", "</details>", "\r```\r</details>\r", "a\x0c```", "\u2028```"]
)
def test_content_never_ends_its_fence(line: str) -> None:
    before = f'"""\n{line}\nold\n"""\n'
    text = comment({Path("x.py"): FileResult(before.encode(), before.replace("old", "new").encode())})

    (diff,) = fences(text)
    assert diff.endswith('-old\n+new\n """\n')


@pytest.mark.parametrize(
    "message",
    [
        "*no* _emphasis_ ~~here~~",
        "no <b>tag</b> &lt; <!-- comment",
        "no [link](target) or ![picture](x)",
        "| no | table |",
        "# no heading\n- no list\n\n> no quote",
        "a lone ` backtick *and more*",
        "back\\slash \\* \\`",
    ],
)
def test_message_is_shown_as_it_is(message: str) -> None:
    text = comment({Path("x.py"): FileResult(b"", b"", findings=(a_finding(message),))})

    assert " ".join(message.split()) in plain(text)


def test_nobody_is_called_by_a_message() -> None:
    text = comment({Path("x.py"): FileResult(b"", b"", findings=(a_finding("the decorator @ray of #1"),))})

    assert not re.search(r"@\w", text)
    assert not re.search(r"(?<!\\)#1", text)


@pytest.mark.parametrize(
    "name", ["a`b.py", "``.py", "<img src=x>.py", "a|b.py", "new\nline.py", "*.py", "bad\udcff.py"]
)
def test_odd_names(name: str) -> None:
    html = MARKDOWN.render(comment({Path(name): FileResult(b"a\n", b"b\n")}))

    assert "<h3><code>" in html
    assert "<img" not in html
    assert html.count("<details>") == html.count("</details>") == 1


def test_longest_diffs_are_left_out_of_a_long_comment() -> None:
    results = {
        Path(f"file{number}.py"): FileResult(b"x\n", f"{'y' * 60}\n".encode() * (number * 100), findings=(a_finding(),))
        for number in range(1, 10)
    }

    text = comment(results)

    assert LIMIT - 30_000 < len(text.encode()) <= LIMIT
    assert len(fences(text)) == 4
    assert text.count("is left out: the comment would be too long") == 5
    assert text.index("left out") > text.index("file5.py"), "the longest are"
    assert all(f"### `file{number}.py`" in text for number in range(1, 10))


def test_last_files_are_left_out_of_a_comment_that_is_too_long_without_diffs() -> None:
    results = {
        Path(f"file{number}.py"): FileResult(b"", b"", findings=(a_finding("ü" * 1000),)) for number in range(100)
    }

    text = comment(results)

    assert len(text.encode()) <= LIMIT
    assert re.search(r"\n_\d+ more files left out: the comment would be too long\._\n$", text)


def test_one_file_with_more_findings_than_fit() -> None:
    findings = tuple(a_finding("many " * 20, line=line) for line in range(1, 2000))

    text = comment({Path("x.py"): FileResult(b"", b"", findings=findings)})

    assert len(text.encode()) <= LIMIT
    assert "1 more file left out" in text


def test_cells_of_a_notebook_are_shown_as_code() -> None:
    old, new = (
        f'{{"cells": [{{"source": ["# title"]}}, {{"source": ["x = 1\\n", "{name}()"]}}]}}'.encode()
        for name in ("old", "new")
    )
    finding = replace(a_finding(line=2), cell=2)

    text = comment({Path("x.ipynb"): FileResult(old, new, findings=(finding,))})

    assert "cell 2, line 2: " in text
    assert fences(text) == ["@@ cell 2 @@\n@@ -1,2 +1,2 @@\n x = 1\n-old()\n+new()\n"]


def test_everything(tmp_path: Path) -> None:
    results = of_fixtures(tmp_path) | of_odd_bytes(tmp_path)

    for path, result in results.items():
        text = comment({path: result})
        assert len(fences(text)) == result.changed
        assert len(text.encode()) <= LIMIT
    assert len(comment(results).encode()) <= LIMIT
