"""How the lakehouse is installed, configured, started, watched and stopped."""
