"""Rules without I/O of their own: what an account means, when the service is ready."""
