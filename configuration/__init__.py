"""Configuration: settings, secrets, environment variables, error types.

This package imports no other package of this repository.
"""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
