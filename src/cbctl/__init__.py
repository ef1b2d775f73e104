"""cbctl: deploys, rolls back and operates a Solana platform."""

__version__ = "0.1.0"
