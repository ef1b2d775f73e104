"""A Kubernetes of one node in namespaces of its own: real containers, a real registry.

The node has no way to the network, and what it does to mounts, routes and packet filters of the
machine is seen by nobody else. It ends with the process that started it, whatever ends that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.testbed.kubenode import network, pki
from tests.testbed.waiting import wait_for

_SETTINGS = Path(__file__).parent / "settings"
_CGROUPS = Path("/sys/fs/cgroup")
_STARTS = 120.0  # seconds that a part may take on a busy machine

ADDRESS = "10.77.0.1"
"""Where pods reach what runs on the node itself."""


class Node:
    def __init__(self, folder: Path, binary: Path) -> None:
        self.folder, self.binary = folder, binary
        self.cgroup = f"kubenode-{os.getpid()}"
        self.init = 0
        self._unshare: subprocess.Popen[bytes] | None = None
        self._relays: list[network.Relay] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    # ---- up and down

    def up(self) -> None:
        try:
            self._prepare()
            self._namespaces()
            self.registry()
            self.start("containerd", "containerd", "-c", f"{self.folder}/containerd.toml")
            self._control_plane()
            self._node()
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        for relay in self._relays:
            relay.close()
        if self._unshare is not None:
            self._unshare.kill()  # and with it PID 1 of the node, and with that everything
            self._unshare.wait()
        for process in self._running.values():
            process.wait()
        for controller in _controllers():
            for name in (self.cgroup, "k8s.io"):
                command = ["find", str(controller / name), "-depth", "-type", "d"]
                command += ["-exec", "rmdir", "{}", "+"]
                subprocess.run(command, capture_output=True, check=False)

    # ---- for tests

    def start(self, name: str, *command: str) -> None:
        """Runs a program inside; what it says goes to `logs/<name>.log`."""
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._inside(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self, name: str, seconds: float) -> None:
        """Until a program that `start` started has ended by itself."""
        self._running.pop(name).wait(seconds)

    def kill(self, name: str) -> None:
        """Ends a program that `start` started, at once."""
        process = self._running[name]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:  # nsenter itself only waits for it
            os.kill(int(child), 9)
        process.wait()

    def api_server(self) -> None:
        keys = self.folder / "pki"
        self._part(
            "apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            *("--bind-address=0.0.0.0", "--secure-port=6443", f"--advertise-address={ADDRESS}"),
            f"--tls-cert-file={keys}/apiserver.crt",
            f"--tls-private-key-file={keys}/apiserver.key",
            *(f"--client-ca-file={keys}/ca.crt", f"--cert-dir={self.folder}/certificates"),
            f"--kubelet-client-certificate={keys}/admin.crt",
            f"--kubelet-client-key={keys}/admin.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys}/tokens.key",
            f"--service-account-signing-key-file={keys}/tokens.key",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            *("--service-cluster-ip-range=10.96.0.0/16", "--profiling=false"),
        )

    def controllers(self) -> None:
        self._part(
            "controllers",
            f"--kubeconfig={self.folder}/controllers.kubeconfig",
            *("--leader-elect=false", "--secure-port=0", "--use-service-account-credentials=true"),
            f"--service-account-private-key-file={self.folder}/pki/tokens.key",
            *(f"--root-ca-file={self.folder}/pki/ca.crt", "--profiling=false"),
        )

    def kubelet(self) -> None:
        self._part(
            "kubelet",
            f"--config={self.folder}/kubelet.yaml",
            f"--kubeconfig={self.folder}/kubelet.kubeconfig",
            *("--hostname-override=node1", f"--node-ip={ADDRESS}"),
            *(f"--cert-dir={self.folder}/kubelet-pki", "--root-dir=/var/lib/kubelet"),
        )

    def registry(self) -> None:
        self.start("registry", "docker-registry", "serve", f"{self.folder}/registry.yml")

    def run(self, *command: str, timeout: float = 60) -> str:
        """What a program inside says on stdout; it must succeed."""
        done = subprocess.run(
            self._inside(*command), capture_output=True, text=True, check=False, timeout=timeout
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr[-1000:] or done.stdout[-1000:]}")
        return done.stdout

    def port_into(self, port: int) -> int:
        """A port of this machine that leads to one of the node's loopback."""
        return self._kept(network.into(self.init, port))

    def port_out(self, port: int) -> int:
        """A port at ADDRESS that leads to one of this machine's loopback."""
        return self._kept(network.out_of(self.init, ADDRESS, port))

    # ---- parts

    def _kept(self, relay: network.Relay) -> int:
        self._relays.append(relay)
        return relay.port

    def _prepare(self) -> None:
        for name in ("logs", "registry", "root/etc/cni/net.d", "registries/127.0.0.1:5000"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(_SETTINGS / "cni.conflist", self.folder / "root/etc/cni/net.d/10-node.conflist")
        shutil.copy(_SETTINGS / "hosts.toml", self.folder / "registries/127.0.0.1:5000")
        for name in ("containerd.toml", "kubelet.yaml", "proxy.yaml", "registry.yml"):
            text = (_SETTINGS / name).read_text()
            text = text.replace("@NODE@", str(self.folder)).replace("@CGROUP@", self.cgroup)
            (self.folder / name).write_text(text)
        for controller in _controllers():
            (controller / self.cgroup).mkdir()
        # A new group of this kind has no processor and no memory until it is given some.
        cpuset = _CGROUPS / "cpuset"
        if cpuset.is_dir():
            for name in ("cpuset.cpus", "cpuset.mems"):
                (cpuset / self.cgroup / name).write_text((cpuset / name).read_text())
        pki.make(self.folder / "pki")
        for user in ("admin", "controllers", "scheduler", "proxy", "kubelet"):
            pki.kubeconfig(self.folder / f"{user}.kubeconfig", self.folder / "pki", user)

    def _namespaces(self) -> None:
        command = "setpriv --pdeathsig KILL unshare --mount --net --pid --uts --ipc --fork".split()  # noqa: SIM905
        command += ["--kill-child", "--mount-proc", "--propagation", "private"]
        command += ["bash", str(_SETTINGS / "init.sh"), str(self.folder)]
        with (self.folder / "logs" / "init.log").open("wb") as log:
            self._unshare = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_for((self.folder / "is-up").exists, 30, "the node's namespaces")
        pid = self._unshare.pid
        self.init = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def _control_plane(self) -> None:
        client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
        self._part(
            "etcd",
            *("--name=node", f"--data-dir={self.folder}/etcd", "--log-level=warn"),
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            *(f"--initial-cluster=node={peer}", "--unsafe-no-fsync"),
        )
        self.api_server()
        self._wait("the API server", "get", "--raw", "/readyz")
        self.controllers()
        self._part(
            "scheduler",
            f"--kubeconfig={self.folder}/scheduler.kubeconfig",
            *("--leader-elect=false", "--secure-port=0", "--profiling=false"),
        )

    def _node(self) -> None:
        self.kubelet()
        self._part("proxy", f"--config={self.folder}/proxy.yaml")
        self._wait("the service account", "get", "serviceaccount", "default")
        self._wait("the node", "get", "node", "node1")
        self._wait("a ready node", "wait", "--for=condition=Ready", "node/node1", "--timeout=10s")

    def _part(self, name: str, *flags: str) -> None:
        self.start(name, str(self.binary), name, *flags)

    def _wait(self, what: str, *words: str) -> None:
        config = f"--kubeconfig={self.folder}/admin.kubeconfig"
        command = self._inside(str(self.binary), "kubectl", config, *words)

        def there() -> bool:
            for name, process in self._running.items():
                if process.poll() is not None:
                    log = (self.folder / "logs" / f"{name}.log").read_text()
                    raise RuntimeError(f"{name} ended: {log[-2000:]}")
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        wait_for(there, _STARTS, what)

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", "-t", str(self.init), "-a", "--wdns=/", *command]


def _controllers() -> list[Path]:
    """The roots of cgroups: one for each controller, or one for all."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]
