-- Several lanes a run, several nodes: priorities, step ranges, waiting lanes, signals, quotas, deaths, retention.
alter table run add column priority integer not null default 0;
alter table run add column pruned_at text;
alter table run add column tally text;

alter table lane add column priority integer not null default 0;
alter table lane add column first_step integer;
alter table lane add column last_step integer;
-- What a waiting lane waits for: `signal` (or its time), or `lane` (that lane 0 wakes it).
alter table lane add column waits_for text;
create index lane_ready on lane (priority desc, run, no) where state in ('ready', 'waiting');
create index lane_node on lane (node) where node is not null;

-- When it was taken over; kept for a while, so that its late heartbeat finds a later epoch.
alter table node add column gone_at text;

-- Steps that were under way when their node died.
create table death (
  run text not null, lane integer not null, step integer not null, fence integer not null, node text not null,
  at text not null, primary key (run, lane, step, fence)) strict, without rowid;

create table signal (
  run text not null, name text not null, key text not null, number integer not null, body text not null,
  at text not null, primary key (run, name, key)) strict, without rowid;
create unique index signal_number on signal (run, number);

create table quota (key text primary key, cap integer not null) strict, without rowid;
create table quota_held (
  key text not null, node text not null, epoch integer not null, n integer not null,
  primary key (key, node)) strict, without rowid;
create index quota_held_node on quota_held (node);

create index run_ended on run (ended_at) where ended_at is not null and pruned_at is null;
