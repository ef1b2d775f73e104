update {schema}.cbctl_fence
set unfinished_version = %(version)s, unfinished_checksum = %(checksum)s
where environment = %(environment)s
