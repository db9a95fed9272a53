"""The disk under the audit log."""

import os
import statistics
import time

from stand import WORK

SYNCS = 101
RECORD = b"x" * 600  # about an audit record


def fdatasync_us():
    """The median time that one appended record takes to the disk."""
    path = WORK / "audit" / "sync.bin"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return statistics.median(_append(file) for _ in range(SYNCS)) / 1000
    finally:
        os.close(file)
        path.unlink()


def _append(file):
    start = time.perf_counter_ns()
    os.write(file, RECORD)
    os.fdatasync(file)
    return time.perf_counter_ns() - start
