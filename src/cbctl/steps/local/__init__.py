"""Steps on the parts of a platform that run on this machine."""
