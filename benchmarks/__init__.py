"""Measurements: ratios of two things that run side by side on the same input."""
