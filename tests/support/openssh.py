"""OpenSSH's programs as the other opinion: signing, verifying, finding principals, and an agent."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

KEYGEN = shutil.which("ssh-keygen")
AGENT = shutil.which("ssh-agent")
needs_openssh = pytest.mark.skipif(
    not (KEYGEN and AGENT), reason="LEFT OUT: OpenSSH is not installed, nobody else checked our signatures"
)


def run(*arguments: str | Path, content: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """``ssh-keygen`` with arguments; it can ask nobody for anything."""
    assert KEYGEN is not None
    variables = {**os.environ, "SSH_ASKPASS_REQUIRE": "never", **environment}
    return subprocess.run(
        [KEYGEN, *map(str, arguments)], input=content, env=variables, capture_output=True, check=False
    )


def verifies(
    signature: bytes,
    content: bytes,
    allowed: str,
    directory: Path,
    principal: str = "alice@example.com",
    **choices: str,
) -> bool:
    """Whether ``ssh-keygen -Y verify`` accepts a signature; ``choices``: ``namespace``, ``time``, ``revoked``."""
    signature_file, signers = directory / "checked.sig", directory / "checked.signers"
    signature_file.write_bytes(signature)
    signers.write_text(allowed)
    command: list[str | Path] = ["-Y", "verify", "-f", signers, "-I", principal, "-s", signature_file]
    command += ["-n", choices.get("namespace", "xfer-bundle")]
    command += ["-O", f"verify-time={choices['time']}"] if "time" in choices else []
    command += ["-r", choices["revoked"]] if "revoked" in choices else []
    return run(*command, content=content).returncode == 0


def principals_of(signature: bytes, allowed: str, directory: Path, time: str) -> str | None:
    """What ``ssh-keygen -Y find-principals`` answers; None if it finds none."""
    signature_file, signers = directory / "checked.sig", directory / "checked.signers"
    signature_file.write_bytes(signature)
    signers.write_text(allowed)
    done = run("-Y", "find-principals", "-s", signature_file, "-f", signers, "-O", f"verify-time={time}")
    return done.stdout.decode().removesuffix("\n") if done.returncode == 0 else None


@contextlib.contextmanager
def agent(directory: Path, *keys: Path) -> Iterator[str]:
    """The socket of an agent with some keys; the agent ends with the block."""
    assert AGENT is not None
    socket = directory / "agent"
    process = subprocess.Popen([AGENT, "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert process.poll() is None
        for key in keys:
            variables = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
            subprocess.run(["ssh-add", "-q", str(key)], env=variables, check=True, capture_output=True)
        yield str(socket)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
