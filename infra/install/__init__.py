"""Fetch and build all programs that the lakehouse needs, at pinned versions."""
