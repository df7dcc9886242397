"""Compares the attribution job with other implementations."""
