"""Questions to a local service: is it ready? Each answer is "" (yes) or what it said instead."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from typing import Any

from cbctl.local.ports import HOST
from cbctl.local.spec import Ready
from cbctl.local.state import State

SECONDS = 2.0  # the time limit of one question


def ask(ready: Ready, state: State) -> str:
    try:
        match ready.kind:
            case "http":
                status, _ = get(ready.port, ready.path or "/")
                return "" if status == 200 else f"it answered with HTTP {status}"
            case "rpc":
                return _rpc_health(ready.port)
            case "postgres":
                return _postgres(ready.port)
            case "redis":
                password = state.read_secret(ready.secret) if ready.socket else None
                return _redis(ready.port) if password is None else _redis_in(ready.socket, password)
            case "tcp":
                with socket.create_connection((HOST, ready.port), SECONDS):
                    return ""
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__


def get(port: int, path: str, *, seconds: float = SECONDS) -> tuple[int, bytes]:
    """HTTP GET on loopback → status and body (at most 1 MiB); OSError, HTTPException."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(1 << 20)
    finally:
        connection.close()


def rpc(port: int, method: str, params: list[Any] | None = None) -> Any:
    """A JSON-RPC call → its result; OSError (also for an error answer), HTTPException."""
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or []})
    try:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read(1 << 20))
    except (ValueError, RecursionError) as error:
        raise OSError(f"{method}: the answer is not JSON") from error
    finally:
        connection.close()
    if not isinstance(answer, dict) or "result" not in answer:
        told = answer.get("error") if isinstance(answer, dict) else answer
        raise OSError(f"{method}: {str(told)[:200]}")
    return answer["result"]


def _rpc_health(port: int) -> str:
    result = rpc(port, "getHealth")
    return "" if result == "ok" else f"getHealth says {str(result)[:200]}"


def _postgres(port: int) -> str:
    """What pg_isready does: a server that asks for a password takes connections."""
    words = b"user\0probe\0database\0probe\0application_name\0cbctl\0\0"
    with socket.create_connection((HOST, port), SECONDS) as connection:
        connection.sendall(struct.pack("!ii", len(words) + 8, 196_608) + words)
        answer = connection.recv(512)
    if answer[:1] == b"R":
        return ""
    fields = [f for f in answer[5:].split(b"\0") if f[:1] == b"M"]
    return fields[0][1:].decode(errors="replace") if fields else "it closed the connection"


def _redis(port: int) -> str:
    """A server that asks for a password has at least begun to work."""
    with socket.create_connection((HOST, port), SECONDS) as connection:
        connection.sendall(b"PING\r\n")
        answer = connection.recv(512).decode(errors="replace").strip()
    return "" if answer == "+PONG" or answer.startswith("-NOAUTH") else answer or "it hung up"


def _redis_in(path: str, password: str) -> str:
    """Asks who is logged in, so that a server that still loads its data says so."""
    words = [b"AUTH", password.encode()]
    auth = b"*2\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(auth + b"PING\r\n")
        answer = b""
        while answer.count(b"\r\n") < 2 and (more := connection.recv(512)):
            answer += more
    login, _, said = answer.decode(errors="replace").strip().partition("\r\n")
    if login != "+OK":
        return login or "it hung up"
    return "" if said == "+PONG" else said or "it hung up"
