"""`python -m cbapi`: read the settings, serve until SIGTERM.

Exit codes: 0 drained and stopped, 1 could not serve (port taken, server died), 64 invalid settings.
"""

from __future__ import annotations

import os
import sys

from cbapi.settings import InvalidSettings, load


def main() -> int:
    try:
        settings = load(os.environ)
    except InvalidSettings as error:
        print(f"cbapi: {error}", file=sys.stderr)
        return 64
    # After the settings: a wrong one is reported in milliseconds, without the imports of a server.
    from cbapi.server import run

    return run(settings)


if __name__ == "__main__":
    code = main()
    # Not sys.exit: a thread of granian's may still be ending, and when it reaches for Python while
    # the interpreter is being torn down, the process aborts (measured: 3 stops of 60, exit -6).
    # Everything that needs an orderly end has had it in `run`.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
