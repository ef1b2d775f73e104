-- Before anything else in a session with many rights: the settings of a database are its owner's, and
-- so could be what a name means.
set search_path to pg_catalog
