"""The broker under test: a real process of `lmbrokerd`, started and ended by its pid, with all that it writes kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schema import BINARIES, ROOT

# As tests/run.sh sets it, for a test that is run by hand.
os.environ.setdefault("LSAN_OPTIONS", f"suppressions={ROOT}/tests/lsan.supp:print_suppressions=0")

_START_SECONDS = 120.0  # under a sanitizer, on a machine that is busy with other tests


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Waits until another process has brought something about; what `condition` then returns."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"in {seconds:g} s there was no {what}")
        time.sleep(0.01)


def run_tool(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """One run of `lmbrokerd` that ends by itself."""
    return subprocess.run(
        [str(BINARIES / "lmbrokerd"), *arguments], capture_output=True, text=True, timeout=120, check=False, **options
    )


class Broker:
    """`lmbrokerd --config` in a folder of its own, as often as it is started there."""

    def __init__(self, folder: Path, config: dict[str, Any], policy: str) -> None:
        self.folder = folder
        self.config_file = folder / "lmbrokerd.yaml"
        self.policy_file = folder / "policy.yaml"
        self.process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        for name in ("audit", "data", "keys", "logs", "run"):
            (folder / name).mkdir(exist_ok=True)
        # JSON is YAML.
        self.config_file.write_text(json.dumps(config, indent=1), "utf-8")
        self.policy_file.write_text(policy, "utf-8")
        if not (folder / "keys/keyring.json").exists():
            self.made_keyring = run_tool("keyring", "init", str(folder / "keys/keyring.json"))

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None
        return self.process.pid

    @property
    def address(self) -> str:
        """HOST:PORT for callers."""
        return (self.folder / "run/address").read_text("ascii").strip()

    @property
    def ops_address(self) -> str:
        """HOST:PORT for health and metrics."""
        return (self.folder / "run/ops-address").read_text("ascii").strip()

    @property
    def log(self) -> str:
        """Standard error of the last start."""
        return (self.folder / f"logs/{self._starts}.stderr").read_text("utf-8", errors="replace")

    def start(self) -> None:
        """Starts it, and waits until it serves. Throws AssertionError with its log when it ends instead."""
        self.spawn()
        addresses = [self.folder / "run/address", self.folder / "run/ops-address"]

        def serves() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"lmbrokerd ended with {self.process.returncode}:\n{self.log}")
            return all(file.exists() and file.read_text() for file in addresses)

        wait_for("address file", serves, _START_SECONDS)

    def spawn(self) -> None:
        """Starts it without waiting."""
        self._starts += 1
        for file in (self.folder / "run").iterdir():
            file.unlink()
        logs = self.folder / "logs"
        with (logs / f"{self._starts}.stdout").open("wb") as out, (logs / f"{self._starts}.stderr").open("wb") as err:
            self.process = subprocess.Popen(
                # Ends with its parent, should that be killed.
                ["setpriv", "--pdeathsig", "TERM", str(BINARIES / "lmbrokerd"), "--config", str(self.config_file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd="/",
            )

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Sends a signal and waits for the end; the exit code. A process that is gone already has its own."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal and does not wait."""
        os.kill(self.pid, number)

    def audit(self) -> list[dict[str, Any]]:
        """Every whole record of the audit file; what a kill cut short is none."""
        lines = (self.folder / "audit/audit.jsonl").read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line.endswith(b'"}')]
