select unfinished_version, unfinished_checksum
from {schema}.cbctl_fence
where environment = %(environment)s and unfinished_version is not null
