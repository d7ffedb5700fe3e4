"""The rules for AccelerateTrainer."""
