"""The systems that hold state: Postgres, Redis, the chain."""
