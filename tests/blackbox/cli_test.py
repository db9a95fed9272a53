"""`lmbroker`: every command, its exit codes, its JSON; secrets come from standard input or a file alone."""

import json
import os
import socket
import unittest

from case import ECHO, ForwardCase
from world import PORTAL

DONE, REFUSED, USAGE, NOT_REACHED = 0, 1, 2, 3


class CliTest(ForwardCase):
    def run_as(self, who, code, *arguments, **more):
        done = self.world.cli(who, *arguments, **more)
        self.assertEqual(done.returncode, code, f"{' '.join(arguments)}\n{done.stderr}")
        self.assertNotIn("Traceback", done.stderr)
        return done

    def json(self, *arguments, who="operator", **more):
        done = self.run_as(who, DONE, "--output", "json", *arguments, **more)
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def create(self, *arguments):
        return self.json("token", "create", "acme/33", *arguments)["token"]

    def test_tokens_live_and_die_by_short_names(self):
        token = self.create("--note", "made with the CLI", "--credential-id", "by-cli")
        short = token["name"].replace("portals/", "").replace("admins/", "").replace("tokens/", "")
        self.assertEqual((token["type"], token["status"], token["custody"]), ("LMV1", "ENABLED", "BROKER"))
        self.assertEqual(token["credential"], f"{PORTAL}/credentials/by-cli")
        self.assertEqual(self.json("token", "get", short)["note"], "made with the CLI")
        self.assertEqual(self.json("token", "get", token["name"])["name"], token["name"])
        self.assertEqual(self.json("token", "disable", short)["status"], "DISABLED")
        self.assertEqual(self.json("token", "note", short, "another")["note"], "another")
        self.assertEqual(self.json("token", "note", short, "").get("note", ""), "")
        self.assertEqual(self.json("token", "get", short)["status"], "DISABLED")
        self.assertEqual(self.json("token", "enable", short)["status"], "ENABLED")
        for _ in range(2):
            self.assertEqual(self.json("token", "delete", short), {})
        self.assertIn("UNKNOWN_TOKEN", self.run_as("operator", REFUSED, "token", "get", short).stderr)

    def test_create_takes_type_and_status(self):
        token = self.create("--type", "bearer", "--disabled")
        self.assertEqual((token["type"], token["status"]), ("BEARER", "DISABLED"))

    def test_create_refuses_what_the_broker_cannot_do(self):
        for flag, value in (("--ttl", "87650h"), ("--request-id", "7b0d1c5e-6f5c-4f0e-9d0b-0a3a3f1f9a11")):
            self.assertIn("FIELD_INVALID", self.run_as(
                "operator", REFUSED, "token", "create", "acme/33", flag, value).stderr)  # fmt: skip

    def test_leases_are_made_listed_and_revoked(self):
        token = self.create("--ttl", "1h")
        self.assertIn("expireTime", token)
        short = token["name"].removeprefix("portals/").replace("/admins/", "/").replace("/tokens/", "/")
        leases = {each["token"]: each for each in self.json("lease", "list", "acme")["leases"]}
        self.assertEqual(leases[token["name"]]["state"], "ACTIVE")
        self.assertEqual(self.json("lease", "list", "acme", "--stuck")["leases"], [])
        self.assertIn(short, self.run_as("operator", DONE, "lease", "list", "acme").stdout)
        revoked = self.json("lease", "revoke", short)
        self.assertEqual(revoked["state"], "DISABLED")
        self.assertEqual(self.json("token", "get", short)["status"], "DISABLED")
        self.assertIn("DISABLED", self.run_as("operator", DONE, "lease", "revoke", short).stdout)
        self.assertIn("UNKNOWN_TOKEN", self.run_as("operator", REFUSED, "lease", "revoke", "acme/33/88888").stderr)
        self.assertIn("NO_GRANT", self.run_as("manager", REFUSED, "lease", "list", "acme").stderr)

    def test_a_secret_is_shown_where_it_was_asked_for_and_granted(self):
        done = self.run_as("handover", DONE, "--output", "json", "token", "create", "acme/33", "--hand-over")
        reply = json.loads(done.stdout)
        keys = {row["accessId"]: row["accessKey"] for row in self.world.token_rows(33)}
        shown = reply["handedOverSecret"]["accessKey"]
        self.assertTrue(shown == keys[reply["token"]["accessId"]], "another key than LM's")
        done = self.run_as("manager", REFUSED, "token", "create", "acme/33", "--hand-over")
        self.assertIn("HAND_OVER_NOT_GRANTED", done.stderr)

    def test_lists_are_whole_unless_limited(self):
        for number in range(3):
            self.world.portal.new_token(34, note=f"listed {number}")
        wanted = [row["id"] for row in self.world.token_rows(34)]
        names = lambda reply: [int(each["name"].rpartition("/")[2]) for each in reply["tokens"]]
        self.assertEqual(names(self.json("token", "list", "acme/34")), sorted(wanted))
        self.assertEqual(len(self.json("token", "list", "acme")["tokens"]), len(self.world.token_rows()))
        self.assertEqual(len(self.json("token", "list", "acme", "--search", "LISTED", "--enabled-only")["tokens"]), 3)
        bearer = self.json("token", "list", "acme", "--type", "bearer")["tokens"]
        self.assertEqual({each["type"] for each in bearer}, {"BEARER"})
        done = self.run_as("operator", DONE, "token", "list", "acme", "--limit", "2")
        self.assertEqual(len(done.stdout.splitlines()), 3)  # with the heading
        self.assertEqual(self.json("token", "list", "acme", "--search", "no such thing").get("tokens", []), [])

    def test_credentials_from_import_to_delete(self):
        made = self.world.portal.new_token(33)
        file = self.world.folder / "secret"
        file.write_text(made["accessKey"] + "\n")
        os.chmod(file, 0o600)
        for number, more in enumerate(({"secret": made["accessKey"] + "\n"}, {})):
            name = f"acme/imported-{number}"
            arguments = () if more else ("--secret-file", str(file))
            reply = self.json(
                "credential", "import", name, "--type", "lmv1", "--access-id", made["accessId"], *arguments, **more
            )
            self.assertEqual(reply["name"], f"{PORTAL}/credentials/imported-{number}")
            self.assertEqual(self.json("credential", "probe", name)["result"], "WORKS")
            self.assertEqual(self.json("credential", "disable", name)["status"], "DISABLED")
            self.assertEqual(self.json("credential", "enable", name)["status"], "ENABLED")
            self.assertEqual(self.json("credential", "get", name)["accessId"], made["accessId"])
            listed = [each["name"] for each in self.json("credential", "list", "acme")["credentials"]]
            self.assertIn(reply["name"], listed)
            self.assertEqual(self.json("credential", "delete", name), {})
            self.assertIn("UNKNOWN_CREDENTIAL", self.run_as("operator", REFUSED, "credential", "get", name).stderr)
        file.unlink()

    def test_a_bearer_may_come_with_its_word(self):
        made = self.world.portal.new_token(37, "BEARER")
        self.json("credential", "import", "acme/worded", "--type", "bearer", secret=f"Bearer {made['accessKey']}\n")
        self.assertEqual(self.json("credential", "probe", "acme/worded")["result"], "WORKS")

    def test_a_secret_is_no_flag(self):
        for flag in ("--secret", "--access-key", "--bearer", "--password"):
            done = self.run_as("operator", USAGE, "credential", "import", "acme/x", "--type", "bearer", flag, "hush")
            self.assertNotIn("hush", done.stdout + done.stderr)
        done = self.run_as("operator", USAGE, "credential", "import", "acme/x", "hush", "--type", "bearer")
        self.assertNotIn("hush", done.stdout + done.stderr)
        self.assertIn("--secret-file", self.run_as("operator", DONE, "credential", "import", "--help").stdout)

    def test_forward_writes_the_body_and_nothing_else(self):
        done = self.run_as("inventory", DONE, "forward", "acme", "GET", "/device/devices/7")
        self.assertEqual(json.loads(done.stdout)["id"], 7)
        self.assertEqual(done.stderr, "")
        done = self.run_as(
            "writer", DONE, "forward", "acme", "POST", ECHO + "/a b", "--query", "a=1=2", "--query", "b=", "--header",
            "X-Request-Id: mine", "--body", "-", "--include", secret='{"a":1}',
        )  # fmt: skip
        head, _, body = done.stdout.partition("\n\n")
        self.assertTrue(head.startswith("HTTP 200\n"))
        seen = json.loads(body)
        self.assertEqual((seen["path"], seen["bodyLength"]), (ECHO + "/a b", 7))
        self.assertEqual(seen["query"], [["a", "1=2"], ["b", ""]])

    def test_forward_of_an_ingest_call_with_a_body_file(self):
        file = self.world.folder / "events.json"
        file.write_text('[{"message":"m"}]')
        done = self.run_as("writer", DONE, "forward", "acme", "POST", "/log/ingest", "--ingest", "--body", str(file))
        self.assertTrue(json.loads(done.stdout)["success"])

    def test_forward_tells_an_http_error_and_is_done_all_the_same(self):
        done = self.run_as("writer", DONE, "forward", "acme", "GET", "/device/devices/77777")
        self.assertIn("404", done.stderr)

    def test_forward_with_a_credential(self):
        reply = self.json("forward", "acme", "GET", "/device/devices", "--credential", "acme/bearer", who="both")
        self.assertEqual(reply["credential"], f"{PORTAL}/credentials/bearer")

    def test_refusals_end_with_one_and_say_reason_and_next_step(self):
        for who, reason, arguments in (
            ("stranger", "NO_GRANT", ("forward", "acme", "GET", "/device/devices")),
            ("writer", "PATH_NOT_PLAIN", ("forward", "acme", "GET", "/device/../x")),
            ("writer", "SECRET_ENDPOINT", ("forward", "acme", "GET", "/setting/admins/apitokens")),
            ("writer", "HEADER_NOT_ALLOWED", ("forward", "acme", "GET", "/a", "--header", "Cookie: a=b")),
            ("two-uris", "NO_IDENTITY", ("status",)),
            ("manager", "NO_GRANT", ("status",)),
        ):
            done = self.run_as(who, REFUSED, *arguments)
            self.assertEqual(done.stdout, "")
            self.assertRegex(done.stderr, rf"(?m)^reason: +{reason}$")
            self.assertRegex(done.stderr, r"(?m)^next: +\S.+$")

    def test_wrong_usage_ends_with_two(self):
        for arguments in (
            (), ("token",), ("token", "fly"), ("token", "create"), ("token", "create", "acme"),
            ("token", "get", "acme/33"), ("token", "get", "acme/33/0"), ("token", "create", "acme/33", "--type", "rsa"),
            ("forward", "acme", "GET"),
            ("token", "list", "acme", "--limit", "0"), ("--output", "yaml", "status"), ("--timeout", "soon", "status"),
            ("credential", "import", "acme/x"), ("explain", "inventory"),
            ("forward", "acme", "GET", "/a", "--query", "x"), ("status", "--no-such-flag"),
            ("forward", "acme", "POST", "/a", "--body", "/no/such/file"),
        ):  # fmt: skip
            with self.subTest(arguments):
                done = self.run_as("operator", USAGE, *arguments)
                self.assertEqual(done.stdout, "")
                self.assertTrue(done.stderr)

    def test_a_broker_that_is_not_reached_ends_with_three(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{nobody.getsockname()[1]}"
            self.run_as("operator", NOT_REACHED, "--timeout", "5s", "status", LMBROKER_ADDRESS=address)
        self.run_as("other-ca", NOT_REACHED, "--timeout", "5s", "status")

    def test_flags_win_over_the_environment(self):
        self.run_as("operator", DONE, "--address", self.world.broker.address, "status", LMBROKER_ADDRESS="127.0.0.1:1")

    def test_explain_and_status(self):
        said = self.json("explain", "inventory", "forward", "acme", "GET", "/device/devices")
        self.assertEqual((said["allowed"], said["rule"]), (True, "inventory.forward[0]"))
        said = self.json("explain", "inventory", "token", "delete", "acme/33")
        self.assertEqual((said.get("allowed", False), said["reason"]), (False, "NO_GRANT"))
        self.assertIn("no", self.run_as("operator", DONE, "explain", "inventory", "token", "delete", "acme/33").stdout)
        said = self.json("explain", "writer", "forward", "acme", "POST", "/log/ingest", "--ingest")
        self.assertTrue(said["allowed"])
        self.assertEqual(len(self.json("status")["portals"]), 4)
        self.assertIn("acme", self.run_as("operator", DONE, "status").stdout)

    def test_control_characters_of_a_portal_do_not_reach_the_terminal(self):
        self.world.portal.new_token(34, note="a\x1b[31mred\x07\rb")
        done = self.run_as("operator", DONE, "token", "list", "acme/34", "--search", "red")
        self.assertNotIn("\x1b", done.stdout)
        self.assertNotIn("\r", done.stdout)

    def test_help_and_version(self):
        for arguments in (("--help",), ("token", "--help"), ("token", "create", "--help"), ("--version",)):
            self.assertTrue(self.run_as("operator", DONE, *arguments).stdout)


if __name__ == "__main__":
    unittest.main()
