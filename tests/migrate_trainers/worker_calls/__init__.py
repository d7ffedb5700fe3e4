"""Run a legacy program and its migrated form on stand-ins for Ray and the frameworks, and record their calls.

Nothing here trains. The stand-ins of the legacy trainers do what Ray's did around a run: merge the builder's calls,
fill in the CheckpointConfig, and make the framework's calls once a worker. Those of the current API are as strict as
current Ray. What both record is brought to one form, in which intended differences are gone, so that
`recorded(before) == recorded(after)` says that a rewrite kept the meaning.
"""

from __future__ import annotations

from worker_calls.run import Recording, assert_same_calls, recorded

__all__ = ["Recording", "assert_same_calls", "recorded"]
