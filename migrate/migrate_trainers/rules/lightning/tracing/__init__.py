"""Builders and built configurations followed through a file: through functions, methods, attributes and containers."""
