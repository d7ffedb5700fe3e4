"""Deciding what legacy code becomes: one module a trainer, and what they share."""
