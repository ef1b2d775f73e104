SELECT slot, account, read_at FROM program_config_cache WHERE program_id = %(program_id)s
