"""Benchmarks: most compare two programs that run side by side on the same input."""
