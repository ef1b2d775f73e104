"""localnet: a Solana cluster of one process, JSON-RPC over LiteSVM, for `cbctl deploy local`.

Run as `python -m cbctl.localnet --state DIR --port 8899`. Imports nothing else of this project.
"""
