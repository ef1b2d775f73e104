"""Accounts and instructions of well-known programs, as `jsonParsed` shows them.

Shapes: agave, account-decoder and transaction-status. What is not known is not parsed: the RPC
then shows it as it does for any other program.
"""
