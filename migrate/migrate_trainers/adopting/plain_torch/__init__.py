"""Scripts that train with a loop of their own."""
