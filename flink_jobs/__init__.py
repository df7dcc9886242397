"""The streaming job: Kafka in, validated and attributed rows in the lake out."""
