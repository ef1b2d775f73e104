"""Solana: JSON-RPC, the upgradeable loader, Anchor IDLs, keypair files.

Why not solana-py: its import alone is 230 ms dearer than what is used here (Python 3.11, best of
8, process start included: `solana.rpc.async_api` 357 ms, `httpx` 233 ms without solders,
`http.client` with solders 125 ms, bare Python 18 ms), and a `deploy local` that changes nothing
must take less than 1.5 s in all. So there is one way to speak to a cluster: `rpc.Rpc`, a small
JSON-RPC client over `http.client` whose types are those of solders. It is synchronous and may be
used from several threads at once; no event loop is needed.

RPC URLs are secrets (keys sit in path and query): errors name the host and nothing else.
Nothing is imported here; take what is needed from the modules.
"""
