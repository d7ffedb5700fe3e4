"""LightningTrainer and its LightningConfigBuilder."""
