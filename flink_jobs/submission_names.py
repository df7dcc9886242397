"""What the job is called where others look for it: in Flink, and in Kafka's consumer groups."""

JOB_NAME = "attribution"
# Offsets are committed for people and for `make status`; the job goes by its checkpoints.
CONSUMER_GROUP = "tributary-attribution"
