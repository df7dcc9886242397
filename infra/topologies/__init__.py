"""Run the services as processes of this machine, or as containers."""
