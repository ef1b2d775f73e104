"""Steps on the database."""
