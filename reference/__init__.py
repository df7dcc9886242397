"""The design read a second time: events, the answers they must give, and a client that checks.

Tests and benchmarks compare the job with it; it shares no code with the job.
"""
