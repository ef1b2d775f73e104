-- cbctl: phase=pre
-- The last configuration account that was read from the chain, served while the RPC is down.
-- The account's bytes and not JSON: a newer version of the service decodes them its own way.
CREATE TABLE program_config_cache (
    program_id text PRIMARY KEY,
    slot bigint NOT NULL CHECK (slot >= 0),
    account bytea NOT NULL CHECK (octet_length(account) <= 10240),
    read_at timestamptz NOT NULL
);
