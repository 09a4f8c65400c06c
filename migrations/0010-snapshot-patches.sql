-- Changes to a chunk since its data was packed, as entries of a plan: few changes do not make it worth packing anew. Keys,
-- rows, raw_bytes and hash are those of the lines with the patch worked in.
alter table snapshot_chunks add column patch bytea;

-- Chunks of the snapshot of which the plan knows what they become, as JSON.
alter table plan_chunks add column stretches json not null default '[]';
