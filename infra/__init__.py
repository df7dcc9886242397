"""Install, start, supervise and operate the lakehouse."""
