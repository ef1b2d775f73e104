insert into {schema}.cbctl_marker (platform, environment)
values (%(platform)s, %(environment)s)
