"""Where services run: as processes of this machine, or as containers."""
