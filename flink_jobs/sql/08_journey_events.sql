-- Grain: one click or one checkout that was on time.
-- Inputs: journey_messages.
-- Exclusions: clicks of unknown users or with unknown ids (attribution.unknown_user_ids,
-- attribution.unknown_ids).
-- Lateness: as journey_messages.
create temporary view journey_events as
select *
from journey_messages
where checkout_id is not null
    or ${is_of_a_known_user} and ${has_a_known_id}
