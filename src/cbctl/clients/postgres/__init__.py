"""Postgres: addresses, connections, migrations, and the marker that names the environment."""
