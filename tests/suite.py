"""Runs the *_test.py files of a folder, as many at once as there are processors: `suite.py FOLDER COUNTS [FILE]`. COUNTS
receives `PASSED FAILED`. With FILE, only that one, in this process.

A test with several failed subtests counts once; a class or module that could not be set up, and a file whose process was
lost, count as one failed test; a file or a folder without a test has failed.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest


def run_file(folder, counts, name):
    tests = unittest.defaultTestLoader.discover(folder, pattern=name)
    result = unittest.TextTestRunner(verbosity=2, buffer=True).run(tests)
    bad = {getattr(test, "test_case", test) for test, _ in result.failures + result.errors}
    bad |= set(result.unexpectedSuccesses)
    # What was not a test, such as a failed setUpClass, is not among those that ran.
    passed = result.testsRun - len(result.skipped) - sum(isinstance(test, unittest.TestCase) for test in bad)
    failed = len(bad) if result.testsRun or bad else 1
    pathlib.Path(counts).write_text(f"{max(passed, 0)} {failed}\n", encoding="utf-8")


def run_apart(folder, name):
    """Runs a file in a process of its own. Gives what it printed, how many tests passed, and how many failed."""
    with tempfile.NamedTemporaryFile() as counts:
        began = time.monotonic()
        command = [sys.executable, __file__, folder, counts.name, name]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        took = f"{name}: {time.monotonic() - began:.0f} s\n"
        passed, failed = (int(number) for number in counts.read().split() or (0, 1))
    return done.stdout.decode(errors="replace") + took, passed, failed


def main(folder, counts):
    # The larger a file, the longer it takes, as a rule: begin with those.
    names = [path.name for path in sorted(pathlib.Path(folder).glob("*_test.py"), key=lambda path: -path.stat().st_size)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        for printed, well, ill in threads.map(lambda name: run_apart(folder, name), names):
            print(printed, file=sys.stderr, flush=True)
            passed += well
            failed += ill
    pathlib.Path(counts).write_text(f"{passed} {failed if names else 1}\n", encoding="utf-8")


if __name__ == "__main__":
    run_file(*sys.argv[1:]) if len(sys.argv) == 4 else main(*sys.argv[1:])
