"""Runs the *_test.py files of a folder, as many at once as there are processors: `suite.py FOLDER COUNTS`. COUNTS
receives `PASSED FAILED`.

Each file has a process of its own; what it printed comes when it has ended. A test with several failed subtests counts
once; a class or module that could not be set up, and a process that was lost, count as one failed test; a file or a
folder without a test has failed.
"""

import concurrent.futures
import io
import multiprocessing
import os
import pathlib
import sys
import time
import unittest


def run(folder, name):
    """Runs one file. Gives what it printed, how many tests passed, and how many failed."""
    began = time.monotonic()
    printed = io.StringIO()
    tests = unittest.defaultTestLoader.discover(folder, pattern=name)
    result = unittest.TextTestRunner(printed, verbosity=2, buffer=True).run(tests)
    bad = {getattr(test, "test_case", test) for test, _ in result.failures + result.errors}
    bad |= set(result.unexpectedSuccesses)
    # What was not a test, such as a failed setUpClass, is not among those that ran.
    passed = result.testsRun - len(result.skipped) - sum(isinstance(test, unittest.TestCase) for test in bad)
    failed = len(bad) if result.testsRun or bad else 1
    print(f"{name}: {time.monotonic() - began:.0f} s", file=printed)
    return printed.getvalue(), max(passed, 0), failed


def main(folder, counts):
    # The larger a file, the longer it takes, as a rule: begin with those.
    names = sorted(pathlib.Path(folder).glob("*_test.py"), key=lambda path: -path.stat().st_size)
    passed = failed = 0
    with concurrent.futures.ProcessPoolExecutor(
        os.cpu_count(), multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as processes:
        runs = {processes.submit(run, folder, path.name): path.name for path in names}
        for done in concurrent.futures.as_completed(runs):
            try:
                printed, well, ill = done.result()
            except concurrent.futures.BrokenExecutor as error:
                printed, well, ill = f"{runs[done]}: its process was lost: {error}\n", 0, 1
            print(printed, file=sys.stderr, flush=True)
            passed += well
            failed += ill
    pathlib.Path(counts).write_text(f"{passed} {failed if names else 1}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
