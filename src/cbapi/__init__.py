"""The API service of Crypto Bet. Runs from a copy of this folder: nothing of cbctl is imported."""

__version__ = "0.1.0"
