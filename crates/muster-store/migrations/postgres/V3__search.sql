-- The index of basic events, filled behind the journal; `indexed` is the last event of a lane in it, and of a run
-- whether nothing of it is left to do.
alter table run add column indexed boolean not null default false;
alter table lane add column indexed bigint not null default 0;
update run set indexed = true where pruned_at is not null;
create index run_unindexed on run (number) where not indexed;

create table event_words (
  number bigint generated always as identity primary key, run uuid not null, lane integer not null,
  seq bigint not null, at timestamptz not null, target text, words tsvector not null,
  unique (run, lane, seq));
create index event_words_words on event_words using gin (words);
