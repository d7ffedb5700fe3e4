"""Generated programs, cut into cells with magics between: the notebook makes the calls that the program made.

`NOTEBOOKS=2000 pytest -s <this file>` takes as many others.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import PurePath
from typing import Any

from accelerate_programs import accelerate_programs
from checked_programs import assert_kept
from everyday import accelerate_parts, lightning_parts, script, transformers_parts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightning_programs import followed_programs, lightning_programs
from notebooks import in_cells, notebook, sources, without_sources, written
from transformers_programs import transformers_programs
from worker_calls import assert_same_calls

from migrate_trainers import Settings, migrate_source
from migrate_trainers.findings import Kind

_MAGICS = ("%matplotlib inline\n", "!pip install 'a' \\\n  b\n", "files = !ls -l\n", "pl?\n", "%%time\n", "await x()\n")
_NAME = PurePath("notebook.ipynb")
_ODD = st.one_of(lightning_programs(), followed_programs(), transformers_programs(), accelerate_programs())
_EVERYDAY = st.one_of(
    *(
        parts(tuned=tuned).map(script)
        for parts in (lightning_parts, transformers_parts, accelerate_parts)
        for tuned in (False, True)
    )
)
_STYLES = st.sampled_from([{}, {"indent": 2, "ensure_ascii": True}, {"indent": None, "separators": (",", ":")}])
_EXPLORED = os.environ.get("NOTEBOOKS")


def test_a_notebook_makes_the_same_calls() -> None:
    sites: Counter[bool] = Counter()

    @given(
        st.one_of(_EVERYDAY, _ODD),
        st.lists(st.integers(0, 15), max_size=5),
        st.lists(st.sampled_from(_MAGICS), max_size=6),
        _STYLES,
    )
    @settings(
        max_examples=int(_EXPLORED or 60),
        derandomize=_EXPLORED is None,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def check(program: str, cuts: list[int], magics: list[str], style: dict[str, Any]) -> None:
        sites.update(_check(program, cuts, magics, style))

    check()
    print(f"\n{sites[False]} of {sites.total()} trainers were left alone")


def _check(program: str, cuts: list[int], magics: list[str], style: dict[str, Any]) -> Counter[bool]:
    """How many trainers of a notebook were migrated, and how many left."""
    cells = in_cells(program, cuts)
    above = [*magics, *[""] * len(cells)]
    cells = [magic + source for magic, source in zip(above, cells, strict=False)]
    before = written(notebook(*cells), **style)

    alone = migrate_source(program.encode(), Settings(source_version=(2, 6)))
    result = migrate_source(before, Settings(source_version=(2, 6)), _NAME)

    assert not result.has(Kind.ERROR), result.findings
    assert all(finding.cell is not None for finding in result.findings)
    if not result.changed:
        assert result.after == before
        return Counter({False: result.call_sites})
    after = sources(result.after)
    assert without_sources(result.after) == without_sources(before)
    for source, magic in zip(after, above, strict=False):
        assert magic.rstrip("\n") in source
    again = migrate_source(result.after, path=_NAME)
    assert (again.after, again.call_sites) == (result.after, 0)
    code = "".join(f"{source.replace(magic.rstrip(), '', 1)}\n" for source, magic in zip(after, above, strict=False))
    is_said = any(finding.code == "MT227" for finding in result.findings)
    assert_same_calls(program, code, but="device" if is_said else None)
    assert_kept({"main": program}, {"main": code})
    assert alone.changed
    return Counter({True: result.migrated})
