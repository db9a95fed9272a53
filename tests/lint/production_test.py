"""The files of deploy/ say what proto/ knows: a key that was renamed must not live on in an example."""

import pathlib
import re
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = sorted(ROOT.glob("deploy/*/*.yaml"))
PROTOS = {"lmbrokerd.yaml": ("config", "Config"), "policy.yaml": ("policy", "Policy")}

FIELD = re.compile(r"^ +(?:repeated |optional )?(?:map<string, ([\w.]+)>|([\w.]+)) (\w+) = \d+;", re.MULTILINE)
MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, as the broker does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def messages(proto):
    """Message name → field name → (type, whether it is a map)."""
    text = (ROOT / "proto/lmbroker/config/v1" / f"{proto}.proto").read_text(encoding="utf-8")
    return {name: {field: (of_map or plain, bool(of_map)) for of_map, plain, field in FIELD.findall(body)}
            for name, body in MESSAGE.findall(text)}


def unknown_keys(value, message, known, path=""):
    """The keys of a YAML value that its message does not have, as paths."""
    if isinstance(value, list):
        return [bad for item in value for bad in unknown_keys(item, message, known, path + "[]")]
    if not isinstance(value, dict) or message not in known:
        return []
    bad = []
    for key, child in value.items():
        if key not in known[message]:
            bad.append(f"{path}.{key}")
            continue
        child_type, is_map = known[message][key]
        for each in child.values() if is_map else [child]:
            bad += unknown_keys(each, child_type, known, f"{path}.{key}")
    return bad


class ExamplesTest(unittest.TestCase):
    def test_every_key_is_one_of_the_schema(self):
        self.assertEqual({path.name for path in EXAMPLES}, set(PROTOS))
        for path in EXAMPLES:
            proto, message = PROTOS[path.name]
            with self.subTest(str(path)):
                text = re.sub(r"@[A-Z_]+@", "1", path.read_text(encoding="utf-8"))
                self.assertEqual(unknown_keys(yaml.load(text, StrictLoader), message, messages(proto)), [])

    def test_a_wrong_key_would_be_found(self):
        known = messages("config")
        planted = {"listen": {"tls": {"cert": "x"}}, "portals": {"acme": {"hosts": "x"}}, "audit": {"sinks": [{"f": 1}]}}
        self.assertEqual(unknown_keys(planted, "Config", known),
                         [".listen.tls.cert", ".portals.hosts", ".audit.sinks[].f"])

    def test_a_key_that_stands_twice_would_be_found(self):
        with self.assertRaises(yaml.YAMLError):
            yaml.load("callers: [{name: a, max_tokens: 1, max_tokens: 2}]", StrictLoader)


if __name__ == "__main__":
    unittest.main()
