"""TransformersTrainer: its function, its `TrainingArguments`, and what they become."""
