"""Writing new code into the old text: calls, definitions, imports, comments."""
