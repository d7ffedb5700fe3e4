"""`python hold_cluster.py FOLDER`: start a local Ray cluster, print its address, end it when standard input ends."""

from __future__ import annotations

import sys

import ray

# Two workers, the controller, and one to spare: a run that is being torn down may still hold its CPUs.
ray.init(
    address="local",
    num_cpus=6,
    include_dashboard=False,
    log_to_driver=False,
    _node_ip_address="127.0.0.1",
    _temp_dir=sys.argv[1],
)
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
