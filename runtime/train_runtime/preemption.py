"""What Ray says of machines that a cluster takes away; here there is one machine, and nobody takes it."""

from __future__ import annotations

from dataclasses import dataclass

from train_runtime import _session


@dataclass(frozen=True)
class PreemptionInfo:
    """Which nodes of a cluster are taken away, and when (Ray 2.60's class, for type hints)."""

    deadline_ms: int | None
    preempted_node_to_ranks: dict[str, list[int]]

    @property
    def preempted_node_ids(self) -> list[str]:
        """The nodes' identifiers, sorted."""
        return sorted(self.preempted_node_to_ranks)

    @property
    def preempted_ranks(self) -> list[int]:
        """The ranks on those nodes, sorted."""
        return sorted({rank for ranks in self.preempted_node_to_ranks.values() for rank in ranks})


def get_preemption_info() -> PreemptionInfo | None:
    """None: this machine is not taken away (`ray.train.get_preemption_info`).

    Raises:
        RuntimeError: outside a worker.
    """
    _session.current("get_preemption_info")
    return None
