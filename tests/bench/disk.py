"""The disk under the audit log."""

import os
import time

from stand import WORK

RECORD = b"x" * 600  # about an audit record


def fdatasync_us(times):
    """The times that so many appended records take to the disk, one after the other."""
    path = WORK / "audit" / "sync.bin"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return [_append(file) / 1000 for _ in range(times)]
    finally:
        os.close(file)
        path.unlink()


def _append(file):
    start = time.perf_counter_ns()
    os.write(file, RECORD)
    os.fdatasync(file)
    return time.perf_counter_ns() - start
