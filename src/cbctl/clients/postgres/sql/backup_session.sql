-- Nothing about a session may decide how a row is written as text, or end it before its time.
set search_path to pg_catalog;
set datestyle to iso, ymd;
set intervalstyle to postgres;
set timezone to 'UTC';
set extra_float_digits to 3;
set bytea_output to hex;
set lc_monetary to 'C';
set xmloption to content;
set row_security to off;
set statement_timeout to 0;
set lock_timeout to '60s';
set idle_in_transaction_session_timeout to 0
