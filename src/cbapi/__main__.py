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
    sys.exit(main())
