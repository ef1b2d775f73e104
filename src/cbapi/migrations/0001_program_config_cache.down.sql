DROP TABLE program_config_cache;
