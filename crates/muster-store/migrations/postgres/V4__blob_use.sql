-- When a content was put or asked for last: what nothing refers to is forgotten after a while, and never between an
-- upload and its plan.
alter table blob add column used_at timestamptz not null default now();
create index blob_used on blob (used_at);
