-- Requests that found their locks held: unapproved plans that are proposed again until their limit. They hold no lock.
create table queue (
  plan uuid primary key, number bigint generated always as identity unique, space text not null,
  subject text not null, digest text not null, form integer not null, body text not null,
  asked_at timestamptz not null, give_up_at timestamptz not null, state text not null, message text, run uuid);
-- Once per subject and identical document, whoever asks at the same time.
create unique index queue_once on queue (space, subject, digest) where state = 'waiting';
