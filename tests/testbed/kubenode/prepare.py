"""Makes what takes minutes, before a test waits: `python -m tests.testbed.kubenode.prepare`."""

from __future__ import annotations

from tests.testbed.kubenode import binary, images

if __name__ == "__main__":
    print(binary.kubenode())
    print(images.base())
