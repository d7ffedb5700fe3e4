"""Understanding a source: its text, its names, and where it uses the legacy API."""
