-- Key columns plus each noun's stored form as JSON. Every table has `space` where it belongs to one,
-- every change an `actor`, every stored body its `form`. Bodies are text: they may hold what `jsonb` refuses.
create table account (
  space text not null, name text not null, identity text not null, form integer not null, body text not null,
  sealed_key bytea not null, actor text not null, changed_at timestamptz not null,
  primary key (space, name));

create table secret (
  space text not null, name text not null, sealed bytea not null, actor text not null,
  changed_at timestamptz not null,
  primary key (space, name));

create table plan (
  id uuid primary key, number bigint generated always as identity unique, space text not null,
  subject text not null, account text not null, state text not null, message text, purpose text not null,
  bundle text not null, form integer not null, body bytea, inputs bytea, warnings text not null,
  actor text not null, created_at timestamptz not null, node uuid not null, idempotency_key text);
create index plan_subject on plan (space, subject, number);
create index plan_observing on plan (node) where state = 'observing';
create unique index plan_idempotency on plan (space, idempotency_key) where idempotency_key is not null;

create table run (
  id uuid primary key, number bigint generated always as identity unique, space text not null,
  subject text not null, plan uuid not null unique, state text not null, message text, actor text not null,
  started_at timestamptz not null, ended_at timestamptz, form integer not null, want text not null,
  steps_total integer not null, idempotency_key text, priority integer not null,
  -- The keys of its locks, kept after they are free: a later approval on one of them supersedes it.
  lock_keys text[] not null, pruned_at timestamptz, tally text);
create index run_subject on run (space, subject, number);
create index run_state on run (state) where state in ('ready', 'running', 'interrupted');
create index run_ended on run (ended_at) where ended_at is not null and pruned_at is null;
create unique index run_idempotency on run (space, idempotency_key) where idempotency_key is not null;

-- `last` is the last number in the lane's journal: it changes with every commit, so pages keep room for it.
create table lane (
  run uuid not null, no integer not null, state text not null, node uuid, fence bigint not null,
  priority integer not null, first_step integer, last_step integer, wake_at timestamptz, waits_for text,
  last bigint not null default 0,
  primary key (run, no)) with (fillfactor = 50);
create index lane_ready on lane (priority desc, run, no) where state in ('ready', 'waiting');
create index lane_node on lane (node) where node is not null;

-- What happened, in order; basic events are these very rows.
create table journal (
  run uuid not null, lane integer not null, seq bigint not null, fence bigint not null, step integer,
  kind text not null, at timestamptz not null, form integer not null, body text not null,
  primary key (run, lane, seq));

create table lock (
  key text not null, run uuid not null, mode text not null,
  primary key (key, run));
create index lock_run on lock (run);

create table node (
  id uuid primary key, epoch bigint not null, lease_until timestamptz not null, kind text not null,
  pid bigint not null, host text not null, version text not null, started_at timestamptz not null,
  gone_at timestamptz);

create table intent (
  account text not null, kind text not null, name text not null, sent_at timestamptz not null,
  state text not null, form integer not null, body text not null,
  primary key (account, kind, name, sent_at));
-- One open intent per (account, name), whoever writes at the same time.
create unique index intent_open on intent (account, kind, name) where state = 'open';

create table ownership (
  account text not null, kind text not null, id text not null, space text not null,
  infrastructure text not null, name text not null, form integer not null, body text not null,
  primary key (account, kind, id));
create index ownership_infrastructure on ownership (space, infrastructure);
-- A step asks for the record of its own name; without this it would read the account's whole fleet.
create index ownership_name on ownership (account, kind, name);

create table generation (subject text primary key, value bigint not null);

create table audit (
  number bigint generated always as identity primary key, space text not null, at timestamptz not null,
  actor text not null, what text not null, form integer not null, body text not null);
create index audit_space on audit (space, number);

-- Steps that were under way when their node died.
create table death (
  run uuid not null, lane integer not null, step integer not null, fence bigint not null, node uuid not null,
  at timestamptz not null,
  primary key (run, lane, step, fence));

create table signal (
  run uuid not null, name text not null, key text not null, number integer not null, body text not null,
  at timestamptz not null,
  primary key (run, name, key), unique (run, number));

create table quota (key text primary key, cap integer not null);
create table quota_held (
  key text not null, node uuid not null, epoch bigint not null, n integer not null,
  primary key (key, node));
create index quota_held_node on quota_held (node);

-- Blobs and detail output, in pieces of at most 64 KiB, so that every node can read them.
create table blob (digest text primary key, size bigint not null);
create table blob_part (
  digest text not null, part integer not null, body bytea not null,
  primary key (digest, part));
create table output_block (
  run uuid not null, lane integer not null, first bigint not null, lines integer not null,
  raw integer not null, body bytea not null,
  primary key (run, lane, first));
alter table blob_part alter column body set storage external;
alter table output_block alter column body set storage external;
