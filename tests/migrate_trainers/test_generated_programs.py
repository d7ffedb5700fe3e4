"""Generated Lightning programs: the output makes the calls that the input made, or the input is left as it is."""

from __future__ import annotations

import io
import tokenize
from collections import Counter

from hypothesis import HealthCheck, given, settings
from lightning_programs import lightning_programs
from worker_calls import assert_same_calls

from migrate_trainers import Settings, migrate_source
from migrate_trainers.findings import Kind


def _comments(text: str) -> Counter[str]:
    return Counter(
        token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    )


@given(lightning_programs())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_output_makes_the_same_calls(program: str) -> None:
    result = migrate_source(program.encode(), Settings(source_version=(2, 6)))

    assert not result.has(Kind.ERROR), result.findings
    if result.has(Kind.MANUAL):
        assert result.after == result.before
        return
    after = result.after.decode()
    assert_same_calls(program, after)
    assert not _comments(program) - _comments(after)
    again = migrate_source(result.after)
    assert (again.after, again.call_sites) == (result.after, 0)
