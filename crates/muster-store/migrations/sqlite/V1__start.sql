-- Key columns plus each noun's stored form as JSON. Every table has `space` where it belongs to one,
-- every change an `actor`, every stored body its `form`.
create table account (
  space text not null, name text not null, identity text not null, form integer not null, body text not null,
  sealed_key blob not null, actor text not null, changed_at text not null,
  primary key (space, name)) strict, without rowid;

create table secret (
  space text not null, name text not null, sealed blob not null, actor text not null, changed_at text not null,
  primary key (space, name)) strict, without rowid;

create table plan (
  id text primary key, number integer not null, space text not null, subject text not null, account text not null,
  state text not null, message text, purpose text not null, bundle text not null, form integer not null,
  body blob, inputs blob, warnings text not null, actor text not null, created_at text not null,
  node text not null, idempotency_key text) strict, without rowid;
create unique index plan_number on plan (number);
create index plan_subject on plan (space, subject, number);
create unique index plan_idempotency on plan (space, idempotency_key) where idempotency_key is not null;

create table run (
  id text primary key, number integer not null, space text not null, subject text not null, plan text not null,
  state text not null, message text, actor text not null, started_at text not null, ended_at text,
  form integer not null, want text not null, steps_total integer not null, idempotency_key text) strict, without rowid;
create unique index run_number on run (number);
create index run_subject on run (space, subject, number);
create index run_state on run (state);
create unique index run_idempotency on run (space, idempotency_key) where idempotency_key is not null;

create table lane (
  run text not null, no integer not null, state text not null, node text, fence integer not null, wake_at text,
  primary key (run, no)) strict, without rowid;

-- What happened, in order; basic events are these very rows.
create table journal (
  run text not null, lane integer not null, seq integer not null, fence integer not null, step integer,
  kind text not null, at text not null, form integer not null, body text not null,
  primary key (run, lane, seq)) strict, without rowid;

create table lock (
  key text not null, run text not null, mode text not null,
  primary key (key, run)) strict, without rowid;
create index lock_run on lock (run);

create table node (
  id text primary key, epoch integer not null, lease_until text not null, kind text not null, pid integer not null,
  host text not null, version text not null, started_at text not null) strict, without rowid;

create table intent (
  account text not null, kind text not null, name text not null, sent_at text not null, state text not null,
  form integer not null, body text not null,
  primary key (account, kind, name, sent_at)) strict, without rowid;

create table ownership (
  account text not null, kind text not null, id text not null, space text not null, infrastructure text not null,
  name text not null, form integer not null, body text not null,
  primary key (account, kind, id)) strict, without rowid;
create index ownership_infrastructure on ownership (space, infrastructure);

create table generation (subject text primary key, value integer not null) strict, without rowid;

create table audit (
  number integer primary key, space text not null, at text not null, actor text not null, what text not null,
  form integer not null, body text not null) strict;
