"""How the lakehouse is installed, configured, started, watched and stopped."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
