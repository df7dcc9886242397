insert into discard
select * from messages
