"""What runs: one module a service, with what sets it up."""
