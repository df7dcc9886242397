"""What is fetched at pinned versions, and built."""
