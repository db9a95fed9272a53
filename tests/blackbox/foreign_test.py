"""A client that shares no code with ours: grpcurl, through reflection, through the protoset, and as README.md says."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from broker import run_tool
from pki import ROOT, pki
from schema import PROTOSET, schema
from caller_tokens import AUDIENCE, ISSUER, TokenKey, claims, jwks
from world import PORTAL, World

GRPCURL = Path(os.environ.get("GRPCURL", ROOT / "build/tools/grpcurl-v1.9.1"))
README = ROOT / "README.md"
_RECIPE = re.compile(r"^```sh\n(grpcurl .*?)^```", re.MULTILINE | re.DOTALL)
_METHOD = re.compile(r"\b[a-z][\w.]*\.v1\.\w+/\w+")


class GrpcurlCase(unittest.TestCase):
    REFLECTION = True

    @classmethod
    def setUpClass(cls):
        cls.world = World((ROOT / "deploy/development/policy.yaml").read_text(),
                          {"listen": {"reflection": cls.REFLECTION}, "identity": {"kubernetes": cls.kubernetes()}})  # fmt: skip
        cls.addClassCleanup(cls.world.close)
        cls.world.start(master=False)
        # The recipes speak of grpcurl on the PATH, of callers/ as in the quick start, and of share/ as installed.
        bin_folder = cls.world.folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "grpcurl").symlink_to(GRPCURL)
        (cls.world.folder / "callers").symlink_to(pki().folder)
        (cls.world.folder / "share").mkdir()
        (cls.world.folder / "share/lmbroker").symlink_to(PROTOSET.parent)

    @classmethod
    def kubernetes(cls):
        """Takes tokens of an issuer of its own."""
        folder = tempfile.TemporaryDirectory(prefix="lmbroker-tokens-")
        cls.addClassCleanup(folder.cleanup)
        cls.issuer = TokenKey(Path(folder.name), "issuer")
        keys = Path(folder.name) / "jwks.json"
        keys.write_text(jwks(cls.issuer), "ascii")
        return {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(keys)}

    def shell(self, script, who="operator"):
        certificate, key = pki().pair(who)
        master = self.world.portal.master
        environment = os.environ | {
            "PATH": f"{self.world.folder}/bin:{os.environ['PATH']}",
            "LMBROKER_ADDRESS": self.world.broker.address,
            "LMBROKER_CA": str(pki().ca),
            "GRPCURL_TLS": f"-cacert {pki().ca} -cert {certificate} -key {key}",
            "LMBROKER_TOKEN": self.issuer.sign(claims()),
            "LM_ACCESS_ID": master["accessId"],
            "LM_ACCESS_KEY": master["accessKey"],
        }
        done = subprocess.run(["bash", "-c", script], cwd=self.world.folder, env=environment, capture_output=True,
                              text=True, timeout=120, check=False)  # fmt: skip
        self.world.evidence.add(script, done.stdout + done.stderr)
        self.world.learn_secrets()
        return done


class RecipeTest(GrpcurlCase):
    def test_every_rpc_has_a_recipe_that_works(self):
        recipes = _RECIPE.findall(README.read_text("utf-8"))
        for recipe in recipes:
            with self.subTest(recipe.splitlines()[0]):
                done = self.shell(recipe)
                self.assertEqual(done.returncode, 0, done.stderr)
        shown = {method for recipe in recipes for method in _METHOD.findall(recipe)}
        self.assertEqual(set(schema().methods()) - shown, {"grpc.health.v1.Health/Watch"})  # which never ends

    def test_services_are_listed_and_described_through_reflection(self):
        listed = self.shell("grpcurl $GRPCURL_TLS $LMBROKER_ADDRESS list").stdout.split()
        self.assertLessEqual({name.partition("/")[0] for name in schema().methods()}, set(listed))
        told = self.shell("grpcurl $GRPCURL_TLS $LMBROKER_ADDRESS describe lmbroker.v1.CreateTokenRequest").stdout
        self.assertIn("hand_over", told)


class ProtosetTest(GrpcurlCase):
    REFLECTION = False

    def test_without_reflection_the_protoset_does(self):
        done = self.shell("grpcurl $GRPCURL_TLS $LMBROKER_ADDRESS list")
        self.assertNotEqual(done.returncode, 0)
        call = f"grpcurl $GRPCURL_TLS -protoset {PROTOSET} $LMBROKER_ADDRESS"
        done = self.shell(f"{call} lmbroker.v1.OperatorService/GetStatus")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(PORTAL, [each["portal"] for each in json.loads(done.stdout)["portals"]])

    def test_a_refusal_is_readable_for_a_foreign_client(self):
        done = self.shell(
            f"grpcurl $GRPCURL_TLS -protoset {PROTOSET} -format-error $LMBROKER_ADDRESS "
            "lmbroker.v1.OperatorService/GetStatus",
            "stranger",
        )
        error = json.loads(done.stderr)
        self.assertEqual(error["code"], 7)
        info = next(each for each in error["details"] if each["@type"].endswith("ErrorInfo"))
        self.assertEqual((info["reason"], info["domain"]), ("NO_GRANT", "lmbroker"))

    def test_a_foreign_client_without_certificate_is_not_served(self):
        done = self.shell(f"grpcurl -cacert $LMBROKER_CA -protoset {PROTOSET} -max-time 2 $LMBROKER_ADDRESS "
                          "lmbroker.v1.OperatorService/GetStatus")  # fmt: skip
        self.assertNotEqual(done.returncode, 0)

    def test_the_protoset_holds_what_refusals_are_made_of(self):
        for name in ("google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo", "google.rpc.RequestInfo"):
            self.assertTrue(schema().message(name))

    def test_the_tool_tells_its_version(self):
        self.assertRegex(run_tool("--version").stdout, r"\d+\.\d+")


del GrpcurlCase  # has no tests of its own


if __name__ == "__main__":
    unittest.main()
