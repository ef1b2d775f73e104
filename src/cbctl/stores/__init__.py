"""Where runs, releases and locks are kept: files on this machine (a cluster's Secrets later)."""
