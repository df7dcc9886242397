create temporary table discard with ('connector' = 'blackhole')
like messages (excluding all)
