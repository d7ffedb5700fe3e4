"""`python -m migrate_trainers`."""

from migrate_trainers.start import main

main()
