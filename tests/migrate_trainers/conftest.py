"""Its presence puts this folder on the import path of the tests below it: `rewriting` and `worker_calls` live here."""
