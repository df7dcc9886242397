-- What the job's messages of both topics have in common. No statement reads this table: those of files
-- 04 to 07 are `like` it, and each has the messages of one kind. All of them read one source, so that
-- both topics share one watermark. Their columns are those of the tables that they are written to, in
-- that order: then the planner passes each row on as it is, and copies no text.
-- Inputs: the clickstream and checkouts topics. Committed messages only: what an aborted transaction
-- sent is no message. The format also returns a row for a message that it can't read. `reason` says
-- why a message breaks its contract; it is null for a valid message. The contract is
-- configuration/events.toml; event_sql.py passes it to Judge.java (../java/).
-- Lateness: decided here and nowhere else. A valid message is late if its event time is at or
-- behind the watermark when the job reads it. A partition's watermark is the newest event time of
-- its valid messages less ${out_of_orderness_seconds} s; each message moves it at once. The source
-- takes the lowest watermark of its partitions that are not idle. The checkpoint has the watermark,
-- so a restart never takes it back.
-- Fetch size: one fetch takes little of each partition. Otherwise, with a backlog, a partition
-- could wait for its turn so long that it seems idle.
-- Fetch wait: short, because the client has only one request under way. While that request waits
-- for new messages of partitions that are read to their ends, the backlog of another partition
-- waits too.
create temporary table messages (
    topic string metadata virtual
) with (
    'connector' = 'intake',
    'topic' = '${clickstream_topic};${checkouts_topic}',
    'properties.bootstrap.servers' = '${kafka_bootstrap_servers}',
    'properties.security.protocol' = '${kafka_protocol}',
    'properties.sasl.mechanism' = '${kafka_mechanism}',
    'properties.sasl.jaas.config' = '${kafka_jaas}',
    'properties.group.id' = '${consumer_group}',
    'properties.isolation.level' = 'read_committed',
    'properties.partition.discovery.interval.ms' = '60000',
    'properties.max.partition.fetch.bytes' = '131072',
    'properties.fetch.max.wait.ms' = '50',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = '${bounded_mode}',
    'watermark.out-of-orderness' = '${out_of_orderness_seconds} s',
    'watermark.idle-timeout' = '${idle_timeout_seconds} s',
    'contract.fields' = '${event_fields}',
    'contract.clickstream-topic' = '${clickstream_topic}',
    'contract.clickstream' = '${clickstream_contract}',
    'contract.checkouts' = '${checkouts_contract}',
    'contract.max-future' = '${max_future_seconds} s',
    'key.format' = 'raw',
    'key.fields' = 'message_key',
    'value.format' = 'lossless-json',
    'value.lossless-json.max-bytes' = '${max_message_bytes}',
    'value.fields-include' = 'EXCEPT_KEY'
)
