"""Runs the *_test.py files of a folder: `suite.py FOLDER COUNTS`. COUNTS receives `PASSED FAILED`.

A test with several failed subtests counts once; a class or module that could not be set up counts as one failed test;
a folder without a test has failed.
"""

import pathlib
import sys
import unittest


def main(folder, counts):
    tests = unittest.defaultTestLoader.discover(folder, pattern="*_test.py")
    result = unittest.TextTestRunner(verbosity=2, buffer=True).run(tests)
    bad = {getattr(test, "test_case", test) for test, _ in result.failures + result.errors}
    bad |= set(result.unexpectedSuccesses)
    # What was not a test, such as a failed setUpClass, is not among those that ran.
    passed = result.testsRun - len(result.skipped) - sum(isinstance(test, unittest.TestCase) for test in bad)
    failed = len(bad) if result.testsRun or bad else 1
    pathlib.Path(counts).write_text(f"{max(passed, 0)} {failed}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
