"""Steps on the Secrets of the environment's namespace."""
