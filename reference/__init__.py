"""A second implementation of the design: events, the expected answers, and a Kafka client.

Tests and benchmarks compare the job with it. It shares no code with the job.
"""
