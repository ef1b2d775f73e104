select version, applied_at::text, applied_by, execution_ms
from {schema}.schema_migrations
