-- The index of basic events, filled behind the journal; `indexed` is the last event of a lane in it, and of a run
-- whether nothing of it is left to do.
alter table run add column indexed integer not null default 0;
alter table lane add column indexed integer not null default 0;
update run set indexed = 1 where pruned_at is not null;
create index run_unindexed on run (number) where indexed = 0;

create table event_place (
  number integer primary key, run text not null, lane integer not null, seq integer not null,
  at_ms integer not null, target text, unique (run, lane, seq)) strict;
create virtual table event_words using fts5(
  words, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 0");
