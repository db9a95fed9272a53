"""The rooms keep to their rows, and the check that says so finds what it should."""

import pathlib
import tempfile
import unittest

import layers

ROOT = pathlib.Path(__file__).resolve().parents[2]


class TreeTest(unittest.TestCase):
    def test_no_room_includes_one_above_or_beside_it(self):
        self.assertEqual(layers.violations(ROOT), [])

    def test_every_room_of_the_tree_has_a_row(self):
        rooms = {path.name for path in (ROOT / "service").iterdir() if path.is_dir()}
        self.assertLessEqual(rooms, set(layers.ROW_OF))


class PlantedTest(unittest.TestCase):
    """Each case is a small tree with one fault or none."""

    def violations(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return layers.violations(folder)

    def test_allowed_trees_pass(self):
        for files in (
            {"service/core/a.cc": '#include "service/core/a.h"\n#include "service/sign/b.h"\n#include <vector>\n'},
            {"service/rpc/a.cc": '#include <lmbroker/v1/token_service.pb.h>\n#include "grpc/health/v1/health.pb.h"\n'},
            {"service/portal/a.cc": "#include <lmbroker/v1/token.pb.h>\n"},
            {"service/main.cc": '#include "service/app/app.h"\n'},
            {"client/a.cc": '#include "client/a.h"\n#include "service/base/error.h"\n#include <grpcpp/channel.h>\n'},
            {"service/core/CMakeLists.txt": "lmbroker_library(core DEPENDS lmbroker_sign lmbroker_v1_proto)"},
        ):
            with self.subTest(files=files):
                self.assertEqual(self.violations(files), [])

    def test_each_fault_is_found(self):
        for fault, files in {
            "a row above": {"service/base/a.h": '#include "service/core/b.h"\n'},
            "the same row": {"service/policy/a.h": '#include "service/identity/b.h"\n'},
            "spaces in the directive": {"service/base/a.h": '  #  include   "service/core/b.h"\n'},
            "gRPC in the service": {"service/rpc/a.cc": "#include <grpcpp/grpcpp.h>\n"},
            "gRPC's C core in the service": {"service/ops/a.cc": "#include <grpc/grpc.h>\n"},
            "gRPC in quotes": {"service/core/a.cc": '#include "grpcpp/grpcpp.h"\n'},
            "a generated service in the service": {"service/rpc/a.h": "#include <lmbroker/v1/x.grpc.pb.h>\n"},
            "client sees a room": {"client/a.cc": '#include "service/rpc/b.h"\n'},
            "a room sees client": {"service/app/a.cc": '#include "client/b.h"\n'},
            "a room sees tests": {"service/app/a.cc": '#include "tests/fakes/b.h"\n'},
            "a room sees main": {"service/app/a.cc": '#include "service/main.cc"\n'},
            "a room without a row": {"service/utils/a.h": ""},
            "a file outside the rooms": {"service/helpers.h": ""},
            "a path that is not from the root": {"service/base/a.cc": '#include "a.h"\n'},
            "a way round by ..": {"service/base/a.cc": '#include "service/base/../core/b.h"\n'},
            "a library of a row above": {"service/base/CMakeLists.txt": "lmbroker_library(base DEPENDS lmbroker_core)"},
            "two headers in a circle": {
                "service/base/a.h": '#include "service/base/b.h"\n',
                "service/base/b.h": '#include "service/base/a.h"\n',
            },
        }.items():
            with self.subTest(fault):
                self.assertEqual(len(self.violations(files)), 1, self.violations(files))


if __name__ == "__main__":
    unittest.main()
