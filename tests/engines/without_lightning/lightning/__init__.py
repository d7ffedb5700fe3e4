"""Stands before the installed `lightning` on the path, so that importing it fails as if it were not installed."""

raise ModuleNotFoundError("No module named 'lightning'", name="lightning")
