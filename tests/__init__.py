"""All tests; docs/testing.md says what is in each folder."""
