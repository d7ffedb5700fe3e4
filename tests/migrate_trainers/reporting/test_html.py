"""The HTML report: one file that is safe to open, and in a browser a page that fits a phone and can be filtered."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from reports import LEGACY, a_finding, of_fixtures, of_odd_bytes, report_of

import migrate_trainers.cli as cli
from migrate_trainers import FileResult, Kind
from migrate_trainers.reporting import render
from migrate_trainers.reporting.report import Mode

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
FLAGS = [*QUIET.split(), "--disable-component-update", "--disable-sync", "--hide-scrollbars"]
# A page in a frame as wide as a phone or a screen, and what it is asked there: how wide the frame, the document and
# its widest element are, and what keys do.
FRAME = """<!doctype html><iframe srcdoc="{page}" style="width: {width}px; height: 900px; border: 0"></iframe><script>
addEventListener("load", () => {{
  const {{ contentWindow: view, contentDocument: page }} = document.querySelector("iframe");
  const press = (target, key) => target.dispatchEvent(new view.KeyboardEvent("keydown", {{ key, bubbles: true }}));
  const nodes = [...page.querySelectorAll("body *")].filter((node) => !node.matches(".skip"));
  const right = Math.ceil(Math.max(...nodes.map((node) => node.getBoundingClientRect().right)));
  const search = page.querySelector("input[type=search]");
  const shown = () => page.querySelectorAll(".note:not([hidden])").length;
  const counts = [shown()];
  press(page.body, "/");
  const focused = page.activeElement === search;
  search.value = "followed";
  search.dispatchEvent(new view.Event("input", {{ bubbles: true }}));
  counts.push(shown());
  press(search, "Escape");
  setTimeout(() => {{
    counts.push(shown());
    const widths = [view.innerWidth, page.documentElement.scrollWidth, right];
    document.body.dataset.seen = JSON.stringify({{ widths, focused, counts }});
  }});
}});
</script>"""


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def having(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of a class."""
        return [attributes for _, attributes in self.elements if name in (attributes.get("class") or "").split()]


def html(results: dict[Path, FileResult], mode: Mode = Mode.CHECK) -> str:
    return render("html", report_of(results, mode)).decode()


def test_page_of_everything_needs_nothing_else(tmp_path: Path) -> None:
    results = of_fixtures(tmp_path) | of_odd_bytes(tmp_path)

    page = Page(html(results))

    assert {tag for tag, _ in page.elements}.isdisjoint({"link", "img", "iframe", "object", "embed", "base"})
    for _, attributes in page.elements:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on") or name == "style"], "the policy forbids these"
    names = [attributes["data-name"] for tag, attributes in page.elements if "data-name" in attributes]
    assert names == [path.as_posix() for path in results]
    assert len(page.having("note")) == sum(len(result.findings) for result in results.values())


def test_policy_allows_the_style_and_the_script_alone() -> None:
    text = html({Path("x.py"): FileResult(b"a\n", b"b\n")})

    policy = next(attributes["content"] for tag, attributes in Page(text).elements if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


EVIL = "</code></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;"


def test_content_is_text() -> None:
    old, new = f'x = "{EVIL}"\n', f'y = "{EVIL}"\n'
    finding = a_finding(f"message {EVIL} `code {EVIL}`")

    page = Page(
        html({Path(f"{EVIL}.py".replace("/", "_")): FileResult(old.encode(), new.encode(), findings=(finding,))})
    )

    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "img" not in {tag for tag, _ in page.elements}
    assert page.text.count(EVIL) == 2 + 2


def test_lines_and_findings_stand_where_they_belong() -> None:
    before = "".join(f"line {number}\n" for number in range(1, 31)).encode()
    after = before.replace(b"line 15\n", b"LINE 15\nmore\n")
    findings = (a_finding(line=15), a_finding(line=25, kind=Kind.MANUAL))

    text = html({Path("x.py"): FileResult(before, after, findings=findings)})
    page = Page(text)

    lines = [(line["class"], line["data-n"]) for line in page.having("line")]
    assert lines[:6] == [(f"line {side} context", str(n)) for n in (12, 13, 14) for side in ("old", "new")]
    assert lines[6:9] == [("line old removed", "15"), ("line new added", "15"), ("line new added", "16")]
    assert ("line old context", "25") in lines
    assert ("line new context", "26") in lines
    assert re.findall(r"\d+ unchanged lines?", page.text) == [
        "11 unchanged lines",
        "3 unchanged lines",
        "2 unchanged lines",
    ]
    place = [text.index('data-n="15"'), text.index('data-code="MT111"'), text.index('data-n="25"')]
    assert place == sorted(place)
    assert '<span class="plus">+2</span> <span class="minus">−1</span>' in text


def test_file_that_stays_shows_one_side() -> None:
    page = Page(html({Path("x.py"): FileResult(LEGACY, LEGACY, 1, 0, (a_finding(line=3, kind=Kind.MANUAL),))}))

    assert page.having("single")
    assert not page.having("new")
    assert page.having("line")


@pytest.mark.parametrize("line", [1, 2, 99])
@pytest.mark.parametrize("data", [b"", b"\n", b"x", b"\xff\xfe\x00"])
def test_finding_beyond_the_text_is_shown(data: bytes, line: int) -> None:
    page = Page(html({Path("x.py"): FileResult(data, data, findings=(a_finding(line=line, kind=Kind.ERROR),))}))

    assert len(page.having("note")) == 1


def test_words_that_differ_are_marked() -> None:
    text = html({Path("x.py"): FileResult(b"call(first, second=1)\n", b"call(first, third=1)\n")})

    assert re.findall(r"<mark>(.*?)</mark>", text) == ["second", "third"]


def test_long_file_has_no_colours() -> None:
    before = b"x = 1\n" * 100_000

    text = html({Path("x.py"): FileResult(before, before + b"y = <2>\n")})

    assert "<code>y = &lt;2&gt;</code>" in text


def test_cells_of_a_notebook() -> None:
    old, new = (
        f'{{"cells": [{{"source": "# t"}}, {{"source": ["x\\n", "{name}()"]}}]}}'.encode() for name in ("f", "g")
    )
    finding = replace(a_finding(line=2), cell=2)

    page = Page(html({Path("x.ipynb"): FileResult(old, new, findings=(finding,))}))

    assert "cell 2" in page.text
    assert [line["data-n"] for line in page.having("line")] == ["1", "1", "2", "2"]


def test_nothing_found() -> None:
    assert "no legacy trainer found" in Page(html({})).text


def test_missing_packages_are_named_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.py").write_bytes(LEGACY)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    result = CliRunner().invoke(cli.main, ["--output-format", "html", str(tmp_path)])

    assert result.exit_code == 2
    assert "pip install 'migrate-trainers[html]'" in result.stderr
    assert (tmp_path / "x.py").read_bytes() == LEGACY


def browsed(folder: Path, page: str, fragment: str = "") -> str:
    """The document as Chromium has it after it has been opened."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,900", "--virtual-time-budget=2000"]
    command = [str(CHROMIUM), *flags, "--dump-dom", f"file://{folder}/page.html{fragment}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


LONG = "x = " + "a" * 300 + "\n\t\tpath = '/" + "deep/" * 80 + "'\n"


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
class TestInABrowser:
    @pytest.fixture
    def page(self, tmp_path: Path) -> str:
        chosen = list(of_fixtures(tmp_path).items())[:4]
        long = FileResult(
            LONG.encode(), LONG.replace("x", "y").encode(), findings=(a_finding("ü" * 200 + "`" + "c" * 200 + "`"),)
        )
        left = FileResult(LEGACY, LEGACY, 1, 0, (a_finding("can't be followed", line=4, kind=Kind.MANUAL),))
        return html({**dict(chosen), Path("a" * 200 + ".py"): long, Path("left.py"): left})

    @pytest.mark.parametrize("width", [1280, 390])
    def test_page_fits_the_window_and_takes_keys(self, page: str, width: int, tmp_path: Path) -> None:
        frame = FRAME.format(page=escape(page), width=width)

        (seen,) = re.findall(r"data-seen='(.*?)'|data-seen=\"(.*?)\"", browsed(tmp_path, frame))

        answer = json.loads(unescape("".join(seen)))
        assert answer["widths"][0] == width
        assert max(answer["widths"]) == width, "something is wider than the window"
        assert answer["focused"], "a slash goes to the filter"
        every, some, again = answer["counts"]
        assert every == again > some == 1, "Escape clears the filter"

    @pytest.mark.parametrize(
        ("fragment", "files"),
        [("", 6), ("#kind=manual", 1), ("#kind=manual&code=MT111", 0), ("#text=LEFT.py+followed", 1), ("#file-2", 6)],
    )
    def test_filter(self, fragment: str, files: int, page: str, tmp_path: Path) -> None:
        document = Page(browsed(tmp_path, page, fragment))

        shown = [file for file in document.having("file") if "hidden" not in file]
        assert len(shown) == files
        total = len(document.having("note"))
        hidden = [note for note in document.having("note") if "hidden" in note]
        active = "=" in fragment
        assert (f"{total - len(hidden)} of {total} findings" in document.text) is active
        assert ("hidden" not in document.having("nothing")[0]) is (files == 0)
        form = next(attributes for tag, attributes in document.elements if tag == "form")
        assert "hidden" not in form, "the policy lets the page's own script run"
