"""What is unknown and what is forbidden look alike, so that nobody learns by asking what there is; and no refusal, log
line or audit record repeats what a caller sent beyond a short excerpt."""

import unittest

from case import ForwardCase
from identity_test import CALLS
from schema import Refusal, schema
from world import PORTAL

OTHER = f"{PORTAL}/admins/35"
NOBODY = f"{PORTAL}/admins/99999"
_MOST_EXCERPT = 64  # bytes of what was sent, in a refusal
_PLAIN = "".join(f"{number:04x}" for number in range(0x1000, 0x1000 + 150))  # no part of it is there twice
# Every record shows the path of a call, as it is.
_SHOWN_WHOLE = {"path"}


def places(descriptor, above=()):
    """Every text and bytes field of a message, and of the messages in it."""
    for field in descriptor.fields:
        if field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            yield (*above, field)
        elif field.type == field.TYPE_MESSAGE and len(above) < 3:
            yield from places(field.message_type, (*above, field))


def put(message, place, text):
    """Sets one field; lists get one item."""
    *above, last = place
    for field in above:
        inner = getattr(message, field.name)
        repeated = field.label == field.LABEL_REPEATED
        message = (inner[0] if len(inner) else inner.add()) if repeated else inner
    value = text.encode() if last.type == last.TYPE_BYTES else text
    if last.label == last.LABEL_REPEATED:
        getattr(message, last.name).append(value)
    else:
        setattr(message, last.name, value)


class AlikeTest(ForwardCase):
    @classmethod
    def prepare(cls):
        super().prepare()
        cls.token = cls.world.portal.new_token(35, "LMV1")["id"]
        cls.bearer = cls.world.portal.new_token(34, "BEARER")["id"]

    def groups(self):
        """Callers with questions between whose refusals nobody may see a difference."""
        call = {"portal": PORTAL, "method": "GET", "path": "/device/devices"}
        forward = (
            {"portal": "portals/nowhere"}, {"portal": "portals/down"}, {"path": "/nothing/here"}, {"method": "DELETE"},
            {"credential": f"{PORTAL}/credentials/acme-root"}, {"credential": f"{PORTAL}/credentials/no-such"},
            {"portal": "portals/nowhere", "credential": "portals/nowhere/credentials/no-such"},
        )  # fmt: skip
        for method in ("ForwardService/Forward", "PolicyService/ExplainSignature"):
            def wrapped(fields, method=method):
                return fields if method == "ForwardService/Forward" else {"forward": fields}

            yield "inventory", [(method, wrapped(call | change)) for change in forward]
            yield "stranger", [(method, wrapped(call | change)) for change in ({}, *forward)]
        tokens = [f"{OTHER}/tokens/{self.token}", f"{OTHER}/tokens/88888", f"{NOBODY}/tokens/88888",
                  "portals/nowhere/admins/35/tokens/1", f"portals/down/admins/35/tokens/{self.token}"]  # fmt: skip
        for who in ("manager", "stranger"):
            yield who, [("TokenService/GetToken", {"name": name}) for name in tokens]
            yield who, [("TokenService/UpdateToken", {"token": {"name": name, "note": "x"}}) for name in tokens]
            yield who, [("TokenService/ToggleToken", {"name": name, "status": "DISABLED"}) for name in tokens]
            yield who, [("TokenService/RotateToken", {"name": name}) for name in tokens]
            yield who, [("TokenService/DeleteToken", {"name": name}) for name in tokens]
            for method in ("CreateToken", "ListTokens"):
                yield who, [(f"TokenService/{method}", {"parent": parent})
                            for parent in (OTHER, NOBODY, "portals/nowhere/admins/1", "portals/down/admins/35")]  # fmt: skip
        # Who may see one type is not told whether there is a token of the other.
        yield "inventory", [("TokenService/GetToken", {"name": f"{PORTAL}/admins/34/tokens/{token}"})
                            for token in (self.bearer, 88888)]  # fmt: skip
        for who in ("inventory", "stranger"):
            for method in ("GetCredential", "RotateCredential", "DeleteCredential", "ProbeCredential"):
                yield who, [(f"CredentialService/{method}", {"name": f"{portal}/credentials/{name}"})
                            for portal, name in ((PORTAL, "acme-root"), (PORTAL, "no-such"), ("portals/nowhere", "x"))]  # fmt: skip
            yield who, [("PolicyService/ListGrants", {"caller": caller}) for caller in ("writer", "no-such-caller")]
            yield who, [("PolicyService/ExplainAccess", {"caller": caller, "forward": call})
                        for caller in ("writer", "no-such-caller")]  # fmt: skip

    def test_unknown_and_forbidden_look_alike(self):
        for who, questions in self.groups():
            answers = {}
            for method, fields in questions:
                refusal = self.refused("NO_GRANT", who, method, **fields)
                said = (refusal.code, refusal.reason, refusal.message, tuple(sorted(refusal.metadata.items())),
                        tuple(refusal.fields), refusal.retry_after)  # fmt: skip
                answers.setdefault(said, []).append(fields)
            with self.subTest(who=who, method=questions[0][0]):
                self.assertEqual(len(answers), 1, answers)

    def test_what_a_caller_is_allowed_is_told_as_it_is(self):
        self.refused("UNKNOWN_TOKEN", "manager", "TokenService/GetToken", name=f"{PORTAL}/admins/33/tokens/88888")


class EchoTest(ForwardCase):
    def shown(self, text, marker):
        """The longest part of the marker in a text, by steps of four."""
        most = 0
        for start in range(0, len(marker) - 8, 4):
            while marker[start:start + most + 8] in text and start + most + 8 <= len(marker):
                most += 8
        return most

    def ask(self, who, method, fields, place, text):
        path, request_type, _ = schema().method(method)
        request = request_type(**fields)
        put(request, place, text)
        try:
            self.world.call(who, method, raw=request.SerializeToString(), timeout=20)
        except Refusal as refusal:
            return refusal
        return None

    def test_no_refusal_log_or_record_repeats_what_was_sent(self):
        asked = 0
        for method, fields in CALLS.items():
            for place in places(schema().method(method)[1].DESCRIPTOR):
                name = ".".join(field.name for field in place)
                for marker in (_PLAIN, "\x1b]0;" + _PLAIN, "/" + _PLAIN):
                    for who in ("operator", "stranger"):
                        refusal = self.ask(who, method, fields, place, marker)
                        asked += 1
                        if refusal is None:
                            continue
                        with self.subTest(method=method, field=name, who=who):
                            said = refusal.message + str(refusal.metadata) + str(refusal.fields)
                            self.assertLessEqual(self.shown(said, _PLAIN), _MOST_EXCERPT)
                            self.assertNotIn("\x1b", said)
        self.assertGreaterEqual(asked, 200)
        self.assertGreater(self.shown("said: " + _PLAIN[100:180], _PLAIN), _MOST_EXCERPT)  # it would be seen
        log = self.world.broker.log
        self.assertLessEqual(self.shown(log, _PLAIN), _MOST_EXCERPT)
        self.assertNotIn("\\u001b", log)
        for record in self.world.broker.audit():
            rest = {key: value for key, value in record.items() if key not in _SHOWN_WHOLE}
            self.assertLessEqual(self.shown(str(rest), _PLAIN), _MOST_EXCERPT, record)
            self.assertNotIn("\x1b", str(record))


if __name__ == "__main__":
    unittest.main()
