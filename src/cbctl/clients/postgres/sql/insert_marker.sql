insert into {schema}.cbctl_marker (platform, environment, building)
values (%(platform)s, %(environment)s, %(building)s)
