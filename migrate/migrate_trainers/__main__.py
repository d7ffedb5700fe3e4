"""`python -m migrate_trainers`."""

from migrate_trainers.cli import main

main()
