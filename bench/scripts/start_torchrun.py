"""What a worker of torchrun's does to do nothing."""

import torch.distributed as dist

dist.init_process_group("gloo")
dist.barrier()  # who leaves early breaks the connections that others still make
dist.destroy_process_group()
