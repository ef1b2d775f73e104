"""Steps on an environment as a whole: who it is, and whether a deploy could work there."""
