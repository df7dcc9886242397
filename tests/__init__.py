"""Unit (pure), contract (files and settings) and e2e (a lakehouse of its own) tests."""
