"""Subscriptions over WebSocket. Shapes: https://solana.com/docs/rpc/websocket

Behaviour in detail: agave, rpc/src/rpc_pubsub.rs and rpc_subscriptions.rs. One difference: what is
asked for as "processed" is told when the transaction has run, not at the end of its slot.
"""
