SELECT count(*) = 2000 FROM program_config_cache WHERE program_id LIKE 'Synthetic%';
