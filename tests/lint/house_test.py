"""Rules of the house that a compiler does not know."""

import functools
import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

FOLDERS = {"proto", "service", "client", "deploy", "tests", ".ci"}
ROOT_FILES = {
    ".clang-format", ".clang-tidy", ".dockerignore", ".editorconfig", ".gitignore",
    "ARCHITECTURE.md", "CHANGELOG.md", "CMakeLists.txt", "CMakePresets.json", "CONTRIBUTING.md", "Dockerfile",
    "LICENSE", "README.md", "SECURITY.md",
}

# What the edge and the composition do is seen only from outside, by the black-box suite.
SEEN_FROM_OUTSIDE = ("service/app/", "service/rpc/")


@functools.cache
def files():
    """The project's files: what git knows, and what it would take in."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


class FilesTest(unittest.TestCase):
    def test_the_root_holds_only_what_belongs_there(self):
        folders = {name.split("/")[0] for name in files() if "/" in name}
        root_files = {name for name in files() if "/" not in name}
        self.assertEqual(folders - FOLDERS, set())
        self.assertEqual(root_files - ROOT_FILES, set())

    def test_the_pages_that_a_reader_looks_for_are_there(self):
        pages = {"README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"}
        self.assertEqual(pages - set(files()), set())

    def test_nothing_is_left_for_later_in_a_file(self):
        mark = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
        self.assertEqual([name for name in files() if mark.search(text_of(name))], [])

    def test_no_private_key_is_in_the_tree(self):
        key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE" r" KEY-----\s+[A-Za-z0-9+/=]{16}")
        self.assertEqual([name for name in files() if key.search(text_of(name))], [])

    def test_scripts_can_be_run(self):
        scripts = [name for name in files() if text_of(name).startswith("#!")]
        self.assertEqual([name for name in scripts if not os.access(ROOT / name, os.X_OK)], [])

    def test_names_are_plain(self):
        self.assertEqual([name for name in files() if not re.fullmatch(r"[A-Za-z0-9._/-]+", name)], [])


class TestsTest(unittest.TestCase):
    def test_what_a_room_offers_has_a_test(self):
        """A source file whose header another room includes; what is behind it is tested through it."""
        included = {}
        for name in files():
            if name.endswith((".cc", ".h")):
                for header in re.findall(r'#include "([^"]+)"', text_of(name)):
                    included.setdefault(header, set()).add(name)
        missing = []
        for source in files():
            header, room = source[:-2] + "h", os.path.dirname(source)
            if re.fullmatch(r"service/.*/.*\.cc", source) and not source.startswith(SEEN_FROM_OUTSIDE):
                users = {name for name in included.get(header, ()) if os.path.dirname(name) != room}
                if users and not any(name.startswith("tests/") for name in users):
                    missing.append(source)
        self.assertEqual(missing, [])

    def test_every_test_is_built(self):
        lists = {name: text_of(name) for name in files() if re.fullmatch(r"tests/.*CMakeLists\.txt", name)}
        missing = [name for name in files() if re.fullmatch(r"tests/.*_test\.cc", name)
                   and os.path.basename(name) not in lists.get(os.path.dirname(name) + "/CMakeLists.txt", "")]
        self.assertEqual(missing, [])


class PagesTest(unittest.TestCase):
    """What the pages tell a reader to type or open exists."""

    PAGES = [name for name in files() if name.endswith(".md")]
    BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)

    def commands(self, page):
        for block in self.BLOCK.findall(text_of(page)):
            for line in block.replace("\\\n", " ").splitlines():
                yield line.removeprefix("$ ").split("#")[0].split()

    def test_scripts_named_in_a_page_exist_and_know_their_options(self):
        for page in self.PAGES:
            for words in self.commands(page):
                script = words[0].removeprefix("./") if words else ""
                if not re.match(r"(deploy|tests|\.ci)/", script):
                    continue
                with self.subTest(page=page, command=" ".join(words)):
                    self.assertTrue(os.access(ROOT / script, os.X_OK), f"{script} cannot be run")
                    options = [word.split("=")[0] for word in words[1:] if word.startswith("--")]
                    self.assertEqual([option for option in options if option not in text_of(script)], [])

    def test_presets_named_in_a_page_exist(self):
        presets = set(re.findall(r'"name": "(\w+)"', text_of("CMakePresets.json")))
        for page in self.PAGES:
            for words in self.commands(page):
                for option, value in zip(words, words[1:]):
                    if words[0] in ("cmake", "ctest") and option == "--preset":
                        self.assertIn(value, presets, f"{page}: {' '.join(words)}")

    def test_links_within_the_project_lead_somewhere(self):
        for page in self.PAGES:
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text_of(page)):
                if not re.match(r"[a-z]+:", target):
                    self.assertTrue((ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}")


if __name__ == "__main__":
    unittest.main()
