"""The one place that joins configuration, state, store, runbooks and steps into runs."""
