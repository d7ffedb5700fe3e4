"""Code that reads what a legacy trainer left: results, checkpoints, predictors, experiments."""
