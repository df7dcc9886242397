"""The services: one module each, with the service's setup steps."""
