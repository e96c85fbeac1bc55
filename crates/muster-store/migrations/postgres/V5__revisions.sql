-- What a plan was asked with, so that the same can be asked for again.
alter table plan add column source text;

-- Each application of a file, numbered per infrastructure and account; `applied` is what a good end left behind.
create table revision (
  space text not null, infrastructure text not null, account text not null, number integer not null,
  run uuid not null unique, form integer not null, body text not null, applied bytea,
  primary key (space, infrastructure, account, number));
