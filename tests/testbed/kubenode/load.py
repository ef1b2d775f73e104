"""load.py ADDRESS RATE KEPT STOP PATH: requests until the file STOP is there; counts as JSON.

RATE requests a second on new connections, and KEPT clients that keep theirs. Nothing is tried
again: whatever is not a 200 counts as failed.
"""

import collections
import http.client
import json
import os
import sys
import threading
import time

ADDRESS, RATE, KEPT, STOP = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
PATH = sys.argv[5]
WORKERS = 8
answered: collections.Counter[str] = collections.Counter()
failed: collections.Counter[str] = collections.Counter()
counts = {"new": 0, "kept": 0}
lock = threading.Lock()


def version_in(body: str) -> str:
    """Of the toy its first word; of the real service a field."""
    return str(json.loads(body)["version"]) if body.startswith("{") else body.split()[0]


def ask(connection: http.client.HTTPConnection, kind: str) -> bool:
    """Whether the connection can be used again."""
    try:
        connection.request("GET", PATH)
        response = connection.getresponse()
        version = version_in(response.read().decode())
        error = "" if response.status == 200 else str(response.status)
    except (OSError, http.client.HTTPException, LookupError, ValueError) as problem:
        version, error, response = "", f"{kind}: {type(problem).__name__}: {problem}", None
    with lock:
        counts[kind] += 1
        if error:
            failed[error] += 1
        else:
            answered[version] += 1
    if response is None or response.will_close or error:
        connection.close()
        return False
    return True


def fresh() -> http.client.HTTPConnection:
    return http.client.HTTPConnection(ADDRESS, 80, timeout=10)


def new_ones() -> None:
    while not os.path.exists(STOP):
        began = time.monotonic()
        connection = fresh()
        ask(connection, "new")
        connection.close()
        time.sleep(max(0.0, WORKERS / RATE - (time.monotonic() - began)))


def keeps() -> None:
    connection = fresh()
    while not os.path.exists(STOP):
        if not ask(connection, "kept"):
            connection = fresh()
        time.sleep(0.5)


threads = [threading.Thread(target=new_ones) for _ in range(WORKERS)]
threads += [threading.Thread(target=keeps) for _ in range(KEPT)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"counts": counts, "answered": answered, "failed": failed}))
