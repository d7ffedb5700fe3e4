"""Run a legacy program and its migrated form on stand-ins for Ray and the frameworks, and record their calls.

Nothing here trains. The stand-ins of the legacy trainers do what Ray's did around a run: merge the builder's calls,
fill in the CheckpointConfig, make the framework's calls once a worker, and report and save as often as Lightning would
have made them. Those of the current API are as strict as current Ray. What both record is brought to one form, in which
the intended differences are gone, so that `recorded(before) == recorded(after)` says that a rewrite kept the meaning.

These are the intended differences:

* `devices` is "auto", and `num_nodes` isn't given: Ray decides (`legacy.LightningTrainer.work`).
* `accelerator="auto"` is "cpu" where the workers have no GPU, as they used to see none (there too);
  where they have one, neither "auto" nor "cuda" is said (`frameworks.Trainer`).
* Cluster environments among the plugins are gone, which LightningTrainer dropped (there too).
* Which callback reports isn't said, only what it reports and saves, and when (`frameworks.Trainer`); nor is
  `enable_checkpointing`, which follows from it.
* Reports don't name the hook that they come from, and the files of a checkpoint have other names
  (`recorder.recorded_report`, `frameworks.Trainer.fit`).
* The order of scores isn't compared where no metric is (`current.described_configuration`).
* `report_to=[]` is `report_to="none"` (`frameworks.transformers`).
* Arguments that a finding calls ignored or refused are gone from the configurations of both.
"""

from __future__ import annotations

from worker_calls.run import Recording, assert_same_calls, recorded

__all__ = ["Recording", "assert_same_calls", "recorded"]
