"""Configuration: what everything is set up from. Imports nothing of ours."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
