update {schema}.cbctl_fence
set unfinished_version = null, unfinished_checksum = null
where environment = %(environment)s and unfinished_version is not null
