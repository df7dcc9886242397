-- Grain: one change of a row in the shop's database, as Debezium sent it. Files 10 to 12 define
-- tables `like` this one: each adds its topic and the columns of its rows.
-- Inputs: committed messages only. If Connect does not finish a transaction, it sends its messages
-- again. A topic has one partition, so its messages are in the order of the database.
-- Exclusions: none. `fault` says what can't be read and begins with the field's name; if several
-- fields are wrong, it names any one of them. `missing` in files 10 to 12 says which part of the
-- row's key is absent. A message with either goes to quarantine. A delete needs only its key: it
-- may be that of a row whose other values were quarantined.
-- Lateness: none. A change does not affect the watermark.
create temporary table changes (
    -- Debezium's fields about the change
    `__op` string,
    `__source_ts_ms` bigint,
    `__source_lsn` bigint,
    -- the message's place in Kafka, its key and its bytes
    message_key bytes,
    topic string not null metadata virtual,
    kafka_partition int not null metadata from 'partition' virtual,
    kafka_offset bigint not null metadata from 'offset' virtual,
    body bytes metadata from 'value.body' virtual,
    problems map<string, string> metadata from 'value.problems' virtual,
    -- computed here; a snapshot is the row as it was when change capture began
    operation as case `__op`
        when 'r' then 'snapshot'
        when 'c' then 'insert'
        when 'u' then 'update'
        when 'd' then 'delete'
    end,
    changed_at as cast(to_timestamp_ltz(`__source_ts_ms`, 3) as timestamp_ltz(6)),
    source_lsn as `__source_lsn`,
    message as cast(body as string),
    fault as case
        when problems[''] is not null then 'message: ' || problems['']
        when problems is not null and (`__op` is null or `__op` <> 'd')
            then map_keys(problems)[1] || ': ' || map_values(problems)[1]
        when `__op` is null then '__op: missing'
        when `__op` not in ('r', 'c', 'u', 'd')
            then '__op: unknown value "' || substring(`__op`, 1, 100) || '"'
        when `__source_ts_ms` is null then '__source_ts_ms: missing'
        when `__source_lsn` is null then '__source_lsn: missing'
    end
) with (
    'connector' = 'kafka',
    'properties.bootstrap.servers' = '${kafka_bootstrap_servers}',
    'properties.security.protocol' = '${kafka_protocol}',
    'properties.sasl.mechanism' = '${kafka_mechanism}',
    'properties.sasl.jaas.config' = '${kafka_jaas}',
    'properties.group.id' = '${consumer_group}',
    'properties.isolation.level' = 'read_committed',
    'scan.startup.mode' = 'earliest-offset',
    'scan.bounded.mode' = '${bounded_mode}',
    'key.format' = 'raw',
    'key.fields' = 'message_key',
    'value.format' = 'lossless-json',
    'value.lossless-json.max-bytes' = '${max_message_bytes}',
    'value.lossless-json.max-characters' = '${max_characters_of_changes}',
    'value.lossless-json.decimals-as-text' = 'true',
    'value.fields-include' = 'EXCEPT_KEY'
)
