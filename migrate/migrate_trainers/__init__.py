"""Rewrites legacy Ray Train trainers into TorchTrainer programs."""
