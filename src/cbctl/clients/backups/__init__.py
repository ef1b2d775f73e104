"""Backups of a database: what one consists of, where they are kept, how one is made and read."""
