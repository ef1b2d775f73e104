"""The committed files belong together."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from tests.testbed.beds import need
from tests.unit.programs.crypto_bet import ARTIFACTS, ELF, ROOT
from tests.unit.programs.guestbook import ELF as GUESTBOOK

SECURITY_TXT = re.compile(
    rb"=======BEGIN SECURITY.TXT V1=======\0(.*?)=======END SECURITY.TXT V1=======\0", re.DOTALL
)
built = pytest.mark.parametrize("elf", [ELF, GUESTBOOK], ids=lambda path: path.stem)
"""Whatever `build-elf` made and is committed."""


@built
def test_the_hash_is_the_elfs(elf: Path) -> None:
    digest, name = elf.with_suffix(".so.sha256").read_text().split()
    assert name == elf.name
    assert hashlib.sha256(elf.read_bytes()).hexdigest() == digest


@built
def test_the_elf_is_sbpf_v3(elf: Path) -> None:
    content = elf.read_bytes()
    assert content[:4] == b"\x7fELF"
    (machine,) = struct.unpack_from("<H", content, 18)
    (flags,) = struct.unpack_from("<I", content, 48)
    assert machine == 247  # BPF
    assert flags == 3


@built
def test_the_elf_names_no_folder_and_no_host(elf: Path) -> None:
    content = re.sub(SECURITY_TXT, b"", elf.read_bytes())
    texts = re.findall(rb"[\x20-\x7e]{6,}", content)
    for text in texts:
        assert not re.search(rb"^/|\.cargo|registry|https?:|index\.", text), text


def test_the_elf_says_whom_to_tell_of_a_weakness() -> None:
    (content,) = SECURITY_TXT.findall(ELF.read_bytes())
    words = content.decode().split("\0")[:-1]
    entries = dict(zip(words[::2], words[1::2], strict=True))
    assert {"name", "project_url", "contacts", "policy"} <= set(entries), "obligatory"
    assert entries["contacts"] == "email:security@crypto-bet.io"


def test_the_elf_has_its_size() -> None:
    """Rent is paid by the byte."""
    assert ELF.stat().st_size <= 64 * 1024


@pytest.mark.parametrize(
    "path",
    [
        ARTIFACTS / "crypto_bet.idl.json",
        ARTIFACTS / "crypto_bet.idl-0.29.json",
        ARTIFACTS / "toolchain.lock",
        GUESTBOOK.with_name("toolchain.lock"),
    ],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_text_files_name_no_folder_and_no_host(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"https?:|/home/|/root/|/var/|/tmp/", text)


workspaces = pytest.mark.parametrize(
    ("workspace", "artifacts"),
    [(ROOT, ARTIFACTS), (GUESTBOOK.parent, GUESTBOOK.parent)],
    ids=["crypto_bet", "guestbook"],
)


@workspaces
def test_the_lock_is_that_of_the_crates(workspace: Path, artifacts: Path) -> None:
    digest = hashlib.sha256((workspace / "Cargo.lock").read_bytes()).hexdigest()
    assert f"{digest}  Cargo.lock" in (artifacts / "toolchain.lock").read_text().splitlines()


@workspaces
def test_no_crate_brings_128_bit_helpers(workspace: Path, artifacts: Path) -> None:
    """With such a crate a 128-bit product links and runs wrong; without it the link fails."""
    crates = re.findall(r'^name = "(.+)"', (workspace / "Cargo.lock").read_text(), re.MULTILINE)
    assert "pinocchio" in crates
    assert [name for name in crates if "builtins" in name] == []
    assert "link-arg=--disable-math-builtins" in (ROOT / "build-elf").read_text()


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The program that prints the IDLs, compiled from the sources.

    The interface has no dependency: in a workspace of its own it needs no crate registry.
    """
    need("cargo")
    cargo = shutil.which("cargo") or ""
    folder = tmp_path_factory.mktemp("interface")
    shutil.copytree(ROOT / "interface", folder / "interface")
    workspace = (ROOT / "Cargo.toml").read_text()
    alone = workspace.replace('members = ["interface", "program"]', 'members = ["interface"]')
    assert alone != workspace
    (folder / "Cargo.toml").write_text(alone)
    name = "crypto-bet-idl"
    built = subprocess.run(
        [cargo, "build", "--quiet", "--offline", "--features", "idl", "--bin", name],
        cwd=folder,
        env=os.environ | {"CARGO_TARGET_DIR": str(folder / "target")},
        capture_output=True,
        text=True,
        check=False,
    )
    if "requires rustc" in built.stderr:
        need("cargo", "cargo is too old: the IDLs are not compared with the Rust sources")
    assert built.returncode == 0, built.stderr
    return [str(folder / "target" / "debug" / name)]


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ("current", ARTIFACTS / "crypto_bet.idl.json"),
        ("legacy", ARTIFACTS / "crypto_bet.idl-0.29.json"),
    ],
    ids=["0.1.0", "0.29"],
)
def test_the_idl_is_what_the_sources_print(generator: list[str], form: str, path: Path) -> None:
    printed = subprocess.run([*generator, form], capture_output=True, text=True, check=True)
    assert printed.stdout == path.read_text()
