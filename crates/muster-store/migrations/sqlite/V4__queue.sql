-- Requests that found their locks held: unapproved plans that are proposed again until their limit. They hold no lock.
create table queue (
  plan text primary key, number integer not null, space text not null, subject text not null, digest text not null,
  form integer not null, body text not null, asked_at text not null, give_up_at text not null, state text not null,
  message text, run text);
-- Once per subject and identical document, whoever asks at the same time.
create unique index queue_once on queue (space, subject, digest) where state = 'waiting';
