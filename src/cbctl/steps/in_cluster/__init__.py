"""Steps on systems that only the cluster itself reaches."""
