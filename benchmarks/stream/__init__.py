"""The attribution job beside its peers."""
