"""`lmbrokerd --check`: configuration and policy files as a tired operator, or a hostile one, writes them.

Each problem is reported with its key path, all problems of a file at once, and the exit code is 2. A running broker is
not needed, nor does one start.
"""

import json
import unittest

from broker import run_tool
from world import World

# A key path, and the JSON text of a value that is wrong there.
CONFIG = {
    "listen.address": '"127.0.0.1"',
    "listen.adress_file": '"run/address"',
    "listen.tls.certificat": '"x"',
    "listen.reflection": '"perhaps"',
    "listen.limits.request_body": '"8 elephants"',
    "listen.limits.reply_body": '"0"',
    "listen.limits.in_flight": "0",
    "listen.limits.in_flight_per_caller": "-1",
    "listen.limits.connections": '"many"',
    "listen.drain": '"20"',
    "ops.address": '"127.0.0.1:99999"',
    "store.postgres": '{"dsn": "x"}',
    "keyring.files": '"x"',
    "policy.shadow": '"next.yaml"',
    "audit.need": '"some"',
    "audit.head": '"nowhere/head.json"',
    "audit.sinks": '[]',
    "log.level": '"loud"',
    "log.format": '"xml"',
    "identity": '{"kubernetes": {"issuer": "https://k", "audience": "a", "jwks_file": "j"}}',
    "portals.acme.host": '"https://acme.logicmonitor.com/santaba"',
    "portals.acme.port": "0",
    "portals.acme.resolve": '"acme.logicmonitor.com"',
    "portals.acme.master": '"Acme_Root"',
    "portals.acme.connections": "100000",
    "portals.acme.proxy": '"http://proxy:3128"',
    "portals.Bad_Name": "{}",
    "portals.private": '{"resolve": "127.0.0.1"}',
    "portals.metadata": '{"resolve": "169.254.169.254"}',
    "portals.octal": '{"resolve": "0177.0.0.1"}',
    "portals.mapped": '{"resolve": "::ffff:10.0.0.1"}',
    "portals.user": '{"host": "user@acme.logicmonitor.com"}',
    "telemetry": "{}",
}
# What is reported below the key that is set.
DEEPER = {
    "identity": "identity.kubernetes.jwks_file",
    "portals.private": "portals.private.resolve",
    "portals.metadata": "portals.metadata.resolve",
    "portals.octal": "portals.octal.resolve",
    "portals.mapped": "portals.mapped.resolve",
    "portals.user": "portals.user.host",
}

GRANT = "portal: acme, credential: reader, methods: [GET], paths: [/a]"
TOKENS = "portal: acme, admins: [33], verbs: [list]"

# Where in a caller, and a caller's other keys with something wrong there.
CALLERS = (
    (".identities", ""),
    (".identities[0]", 'identities: ["ops.corp.example"]'),
    (".identities[0]", 'identities: ["dns:*.corp.example"]'),
    (".identities[0]", 'identities: ["dns:OPS.corp.example"]'),
    (".identities[0]", 'identities: ["spiffe://corp.example"]'),
    (".identities[0]", 'identities: ["spiffe://corp.example/a/../b"]'),
    (".identities[0]", 'identities: ["SPIFFE://corp.example/a"]'),
    (".identities[0]", 'identities: ["CN=ops"]'),
    (".identity", 'identity: ["dns:a.example"]'),
    (".operater", "operater: true"),
    (".operator", 'operator: "yes please"'),
    (".budget.weight", "budget: { weight: 0 }"),
    (".budget.max_per_minute", "budget: { max_per_minute: -1 }"),
    (".forward[0].portal", "forward: [{ portal: nowhere, credential: reader, methods: [GET], paths: [/a] }]"),
    (".forward[0].portal", "forward: [{ credential: reader, methods: [GET], paths: [/a] }]"),
    (".forward[0].credential", "forward: [{ portal: acme, methods: [GET], paths: [/a] }]"),
    (".forward[0].credential", "forward: [{ portal: acme, credential: Reader, methods: [GET], paths: [/a] }]"),
    (".forward[0].methods", "forward: [{ portal: acme, credential: reader, paths: [/a] }]"),
    (".forward[0].methods[0]", "forward: [{ portal: acme, credential: reader, methods: [get], paths: [/a] }]"),
    (".forward[0].methods[0]", 'forward: [{ portal: acme, credential: reader, methods: ["*"], paths: [/a] }]'),
    (".forward[0].paths", "forward: [{ portal: acme, credential: reader, methods: [GET] }]"),
    *(
        (".forward[0].paths[0]", f"forward: [{{ portal: acme, credential: reader, methods: [GET], paths: [{path}] }}]")
        for path in (
            "'device'", "'/'", "'/a/'", "'//a'", "'/a//b'", "'/**/a'", "'/a*'", "'/*a/b'", "'/a/***'", "'/a/%2e'",
            "'/a/..'", "'/a?b'", "'/a;b'", '"/a\\u0000"', "''", "'/a/** '", "'**'",
        )
    ),
    (".forward[0].api", f"forward: [{{ {GRANT}, api: graphql }}]"),
    (".forward[0].share", f"forward: [{{ {GRANT}, share: 10 }}]"),
    (".forward[0].share", f"forward: [{{ {GRANT}, share: -1s }}]"),
    (".forward[0].pathz", f"forward: [{{ {GRANT}, pathz: [/b] }}]"),
    (".forward[0].account_writes", f"forward: [{{ {GRANT}, account_writes: maybe }}]"),
    (".forward", "forward: /a"),
    (".tokens[0].admins", "tokens: [{ portal: acme, verbs: [list] }]"),
    (".tokens[0].admins", "tokens: [{ portal: acme, admins: [], verbs: [list] }]"),
    (".tokens[0].admins[0]", "tokens: [{ portal: acme, admins: [0], verbs: [list] }]"),
    (".tokens[0].admins[0]", "tokens: [{ portal: acme, admins: [2147483648], verbs: [list] }]"),
    (".tokens[0].admins[1]", "tokens: [{ portal: acme, admins: [33, any], verbs: [list] }]"),
    (".tokens[0].verbs", "tokens: [{ portal: acme, admins: [33] }]"),
    (".tokens[0].verbs[0]", "tokens: [{ portal: acme, admins: [33], verbs: [all] }]"),
    (".tokens[0].types[0]", f"tokens: [{{ {TOKENS}, types: [bearer] }}]"),
    (".tokens[0].types", f"tokens: [{{ {TOKENS}, types: [] }}]"),
    (".tokens[0].max_ttl", f"tokens: [{{ {TOKENS}, max_ttl: 0s }}]"),
    (".tokens[0].max_ttl", f"tokens: [{{ {TOKENS}, max_ttl: forever }}]"),
)  # fmt: skip

# Whole policy files that are refused, and what must be said of them.
POLICIES = (
    ("callers: [", "policy.yaml:"),
    ("- a\n- b\n", "policy.yaml"),
    ("callers: &a [*a]", "policy.yaml"),
    ("callers: *nothing", "policy.yaml"),
    ("callers: []\ncallers: []\n", "callers"),
    ("\tcallers: []", "policy.yaml"),
    ("callers: []\n---\ncallers: []\n", "policy.yaml"),
    ("a: " + "[" * 5000, "policy.yaml"),
    ("callers: !!python/object:os.system []", "policy.yaml:1"),
    ("just text", "policy.yaml"),
    ('callers: [{ name: a, identities: ["dns:a.example"] }, { name: a, identities: ["dns:b.example"] }]',
     "callers[1].name"),
    ('callers: [{ name: a, identities: ["dns:a.example"] }, { name: b, identities: ["dns:a.example"] }]',
     "callers[1].identities[0]"),
    (f'callers: [{{ name: a, identities: ["dns:a.example"], forward: [{{ {GRANT} }}], '
     "expect: [{ allow: { portal: acme, method: GET, path: /b } }] }]", "callers[0].expect[0]"),
    (f'callers: [{{ name: a, identities: ["dns:a.example"], forward: [{{ {GRANT} }}], '
     "expect: [{ refuse: { portal: acme, method: GET, path: /a } }] }]", "callers[0].expect[0]"),
    ('callers: [{ name: a, identities: ["dns:a.example"], expect: [{}] }]', "callers[0].expect[0]"),
)  # fmt: skip
NOT_TEXT = (b"\xff\xfe\x00", b"callers: [\x00]", b"name: \xc3\x28", b"\x00" * 100, b"callers: []\n" + b"#" * (32 << 20))


class CheckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.broker = cls.world.broker
        cls.config_text = cls.broker.config_file.read_text()

    def setUp(self):
        self.broker.config_file.write_text(self.config_text)
        self.broker.policy_file.write_text("")

    def check(self):
        done = run_tool("--config", str(self.broker.config_file), "--check")
        self.world.evidence.add("--check", done.stdout + done.stderr)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertNotIn("\0", done.stderr)
        return done.stderr

    def test_every_problem_of_a_configuration_is_said_at_once(self):
        config = json.loads(self.config_text)
        del config["portals"]["acme"]["allow_private_address"]
        for path, value in CONFIG.items():
            *parents, last = path.split(".")
            section = config
            for key in parents:
                section = section.setdefault(key, {})
            section[last] = json.loads(value)
        self.broker.config_file.write_text(json.dumps(config, indent=1))
        said = self.check()
        for path in CONFIG:
            with self.subTest(path):
                self.assertRegex(said, rf"(?m)^\S*lmbrokerd\.yaml:\d+: {DEEPER.get(path, path)}: \S")

    def test_every_problem_of_a_policy_is_said_at_once(self):
        lines = ["callers:"]
        for number, (_, keys) in enumerate(CALLERS):
            identities = "" if "identit" in keys or not keys else f', identities: ["dns:c{number}.example"]'
            lines.append(f"  - {{ name: c{number}{identities}{', ' if keys else ''}{keys} }}")
        self.broker.policy_file.write_text("\n".join(lines))
        said = self.check()
        for number, (path, keys) in enumerate(CALLERS):
            with self.subTest(keys):
                self.assertIn(f"policy.yaml:{number + 2}: callers[{number}]{path}: ", said)

    def test_policies_that_are_refused_as_a_whole(self):
        for text, wanted in POLICIES:
            with self.subTest(text[:60]):
                self.broker.policy_file.write_text(text)
                self.assertIn(wanted, self.check())

    def test_bytes_that_are_no_yaml(self):
        for content in NOT_TEXT:
            with self.subTest(content[:20]):
                self.broker.policy_file.write_bytes(content)
                self.assertIn("policy", self.check())
                self.broker.policy_file.write_text("")
        for content in NOT_TEXT[:3]:
            with self.subTest(configuration=content):
                self.broker.config_file.write_bytes(content)
                self.assertIn("lmbrokerd.yaml", self.check())

    def test_an_empty_configuration_and_none_at_all(self):
        self.broker.config_file.write_text("")
        said = self.check()
        for key in ("listen.address", "store", "keyring.file", "policy.file", "audit.sinks", "portals"):
            self.assertIn(key, said)
        done = run_tool("--config", str(self.world.folder / "none.yaml"), "--check")
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
