-- A step asks for the record of its own name; without this it would read the account's whole fleet.
create index ownership_name on ownership (account, kind, name);
