"""The JSON-RPC methods, by family. Shapes: https://solana.com/docs/rpc/http"""
