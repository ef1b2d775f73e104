"""References become values here, at the moment when a step needs them and not before."""
