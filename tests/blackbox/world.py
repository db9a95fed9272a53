"""A world of its own: a simulated portal, a broker before it, and callers of every kind who speak gRPC to it."""

from __future__ import annotations

import base64
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc

from broker import Broker, wait_for
from evidence import Evidence
from pki import ROOT, pki
from policies import POLICY
from schema import BINARIES, Refusal, refusal_of, schema

sys.path.append(str(ROOT / "tests/simulator"))
import harness  # noqa: E402  (the simulator's)

PORTAL = "portals/acme"
_GENEROUS = [f"--rate-limit={method}=1000000" for method in ("GET", "POST", "PUT", "PATCH", "DELETE")]
_MOST_MESSAGE = 40 << 20
_RING_KEY = re.compile(r'"([A-Za-z0-9+/]{43}=)"')  # 32 bytes in base64


class World:
    """Portal `acme` is the simulator; at `down` nobody listens; `misnamed` and `forged` are the simulator, too, but its
    certificate is for another name, or of an issuer that is not trusted there."""

    def __init__(
        self,
        policy: str = POLICY,
        config: dict[str, Any] | None = None,
        aliases: Iterable[str] = (),
        portal: Iterable[str] = (),
    ) -> None:
        """`config` is laid over the configuration that worlds have, key by key; `aliases` are more portals, all of them
        the simulator; `portal` are more arguments for that."""
        self.evidence = Evidence()
        self._folder = tempfile.TemporaryDirectory(prefix="lmbroker-world-")
        self.folder = Path(self._folder.name)
        self._nobody = socket.socket()  # bound and not listening: refuses every connection
        self._nobody.bind(("127.0.0.1", 0))
        self.portal = harness.Running(*_GENEROUS, *portal)
        self._aliases = tuple(aliases)
        self.broker = Broker(self.folder, _laid_over(self._config(), config or {}), policy)
        self.last_log = ""
        self._channels: dict[str, grpc.Channel] = {}

    def start(self, *, master: bool = True) -> None:
        """Starts the broker and gives it its master key, unless told not to."""
        self.broker.start()
        self.learn_secrets()
        if master:
            self.import_master()

    def import_master(self) -> None:
        """Gives the broker the key with which it manages the tokens of `acme`."""
        master = self.portal.master
        self.call(
            "operator", "CredentialService/ImportCredential", parent=PORTAL, credential_id="acme-root", type="LMV1",
            access_id=master["accessId"], secret=master["accessKey"], master=True,
        )  # fmt: skip

    def stop(self) -> int:
        """Ends the broker as an operator would; its exit code."""
        self.disconnect()
        code = self.broker.end()
        self.last_log = self.broker.log
        return code

    def kill(self) -> int:
        """Ends the broker as a power cut would; its exit code."""
        return self.broker.end(signal.SIGKILL)

    def close(self) -> int:
        """Ends everything; the broker's exit code."""
        self.disconnect()
        code = 0 if self.broker.process is None else self.stop()
        self.gather()
        self.portal.stop()
        self._nobody.close()
        self._folder.cleanup()
        return code

    def restart(self) -> None:
        """Starts a broker again that has ended or was killed."""
        self.disconnect()
        self.gather()
        self.broker.start()

    def disconnect(self) -> None:
        """Closes the callers' connections."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    # --- Calls ------------------------------------------------------------------------------------

    def channel(self, who: str) -> grpc.Channel:
        """A caller's connection. `nobody` has no certificate."""
        if who not in self._channels:
            pair: tuple[bytes | None, bytes | None] = (None, None)
            if who != "nobody":
                certificate, key = pki().pair(who)
                pair = (key.read_bytes(), certificate.read_bytes())
            credentials = grpc.ssl_channel_credentials(pki().ca.read_bytes(), *pair)
            options = [
                ("grpc.max_receive_message_length", _MOST_MESSAGE),
                ("grpc.max_send_message_length", _MOST_MESSAGE),
                ("grpc.enable_retries", 0),
                ("grpc.use_local_subchannel_pool", 1),
            ]
            self._channels[who] = grpc.secure_channel(self.broker.address, credentials, options)
        return self._channels[who]

    def call(
        self, who: str, method: str, /, *, timeout: float = 60.0, raw: bytes | None = None, metadata: Any = (),
        **fields: Any,
    ) -> Any:  # fmt: skip
        """The reply to `TokenService/GetToken` and the like, sent these fields (or these bytes). Throws Refusal."""
        path, request_type, reply_type = schema().method(method)
        request = raw if raw is not None else request_type(**fields).SerializeToString()
        stub = self.channel(who).unary_unary(path, response_deserializer=reply_type.FromString)
        try:
            reply, outcome = stub.with_call(request, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            self._note(f"{method} by {who}: refused", error)
            raise refusal_of(error) from None
        finally:
            if method.endswith(("CreateToken", "ImportCredential", "RotateToken", "RotateCredential")):
                self.learn_secrets()
        self._note(f"{method} by {who}: metadata", outcome)
        self.evidence.add(f"{method} by {who}", _without_handed_over(reply).SerializeToString())
        return reply

    def begin(self, who: str, method: str, /, *, timeout: float = 60.0, metadata: Any = (), **fields: Any) -> Any:
        """A call that goes on while the test does something else: a gRPC future. `finish` awaits it."""
        path, request_type, reply_type = schema().method(method)
        stub = self.channel(who).unary_unary(path, response_deserializer=reply_type.FromString)
        return stub.future(request_type(**fields).SerializeToString(), timeout=timeout, metadata=metadata)

    def finish(self, future: Any) -> Any:
        """The reply of a call that was begun. Throws Refusal."""
        try:
            reply = future.result()
        except grpc.RpcError as error:
            self._note("a call that was begun: refused", error)
            raise refusal_of(error) from None
        self.evidence.add("a call that was begun", reply.SerializeToString())
        return reply

    def forward(self, who: str, method: str, path: str, **fields: Any) -> Any:
        """ForwardService/Forward at portal `acme`, unless `portal` says otherwise."""
        return self.call(who, "ForwardService/Forward", **{"portal": PORTAL, "method": method, "path": path} | fields)

    def stream(
        self, who: str, method: str, path: str, /, *, timeout: float = 60.0, metadata: Any = (), **fields: Any
    ) -> Any:
        """ForwardService/ForwardStream at portal `acme`: gRPC's iterator over the messages, which is also the call."""
        wire, request_type, reply_type = schema().method("ForwardService/ForwardStream")
        request = request_type(**{"portal": PORTAL, "method": method, "path": path} | fields)
        stub = self.channel(who).unary_stream(wire, response_deserializer=reply_type.FromString)
        return stub(request.SerializeToString(), timeout=timeout, metadata=metadata)

    def read_stream(self, stream: Any) -> tuple[Any, bytes]:
        """The head and the whole body. Throws Refusal, with what had come before it as `part`."""
        head, body = None, bytearray()
        try:
            for message in stream:
                if head is None:
                    head = message.head
                else:
                    body += message.chunk
        except grpc.RpcError as error:
            self._note("a stream: refused", error)
            refusal = refusal_of(error)
            refusal.part = (head, bytes(body))
            raise refusal from None
        finally:
            self.evidence.add("a stream", bytes(body[:100_000]))
        return head, bytes(body)

    def cli(self, who: str, *arguments: str, secret: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """One run of `lmbroker` as a caller; `secret` is its standard input."""
        certificate, key = pki().pair(who)
        environment = {"PATH": os.environ["PATH"]} | {
            name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")
        }
        environment |= {
            "LMBROKER_ADDRESS": self.broker.address,
            "LMBROKER_CA": str(pki().ca),
            "LMBROKER_CERT": str(certificate),
            "LMBROKER_KEY": str(key),
        } | variables
        done = subprocess.run(
            [str(BINARIES / "lmbroker"), *arguments],
            input=secret, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if "--hand-over" not in arguments:
            self.evidence.add("lmbroker " + " ".join(arguments), done.stdout)
        self.evidence.add("lmbroker, errors: " + " ".join(arguments), done.stderr)
        self.learn_secrets()
        return done

    # --- What is known ------------------------------------------------------------------------------

    def credential(
        self, name: str, admin: int, kind: str = "LMV1", portal: str = PORTAL, **fields: Any
    ) -> dict[str, Any]:
        """Imports a new token of an LM user under a name; the token at the portal."""
        token: dict[str, Any] = self.portal.new_token(admin, kind)
        self.call(
            "operator", "CredentialService/ImportCredential", parent=portal, credential_id=name, type=kind,
            access_id=token["accessId"], secret=token["accessKey"], **fields,
        )  # fmt: skip
        return token

    def token_rows(self, admin: int | None = None) -> list[dict[str, Any]]:
        """The tokens at the portal, as the simulator keeps them: with `type`, `status` and `accessKey`."""
        rows = self.portal.state()["tokens"]
        return [row for row in rows if admin in (None, row["adminId"])]

    def outcome(self, **wanted: Any) -> dict[str, Any]:
        """The outcome record with these fields, as soon as it is in the audit file."""

        def find() -> dict[str, Any] | None:
            for record in reversed(self.broker.audit()):
                if record["kind"] == "outcome" and all(record.get(name) == value for name, value in wanted.items()):
                    return record
            return None

        found: dict[str, Any] = wait_for(f"outcome with {wanted}", find)
        return found

    def pair(self, request_id: str) -> list[dict[str, Any]]:
        """All records of one call, once its outcome is there."""
        self.outcome(id=request_id)
        return [record for record in self.broker.audit() if record.get("id") == request_id]

    def await_request(self, path: str, **wanted: Any) -> dict[str, Any]:
        """A request whose path ends so, as soon as the portal has seen it with these fields."""

        def find() -> dict[str, Any] | None:
            for request in self.portal.requests():
                if request["path"].endswith(path) and all(request[name] == value for name, value in wanted.items()):
                    return request
            return None

        found: dict[str, Any] = wait_for(f"request of {path} with {wanted}", find)
        return found

    def ops(self, path: str) -> tuple[int, str]:
        """Status and text of `/readyz` and the like."""
        connection = http.client.HTTPConnection(self.broker.ops_address, timeout=20)
        connection.request("GET", path)
        reply = connection.getresponse()
        text = reply.read().decode("utf-8")
        connection.close()
        return reply.status, text

    def learn_secrets(self) -> None:
        """Notes the keys that the portal has given out, and those of the broker's key ring."""
        for token in self.token_rows():
            if not token["note"].startswith("bulk"):
                self.evidence.keep(f"the {token['type']} key of token {token['id']}", token["accessKey"])
        ring = self.folder / "keys/keyring.json"
        for number, key in enumerate(_RING_KEY.findall(ring.read_text("ascii")) if ring.exists() else ()):
            self.evidence.keep(f"key {number} of the key ring", base64.b64decode(key))

    def gather(self) -> None:
        """Notes all that the broker has written so far."""
        for name in ("audit", "data", "logs", "run"):
            self.evidence.add_files(self.folder / name, "the file")

    def _note(self, label: str, call: Any) -> None:
        text = f"{call.code()} {call.details()} {call.initial_metadata()} {call.trailing_metadata()}"
        self.evidence.add(label, text)
        for _, value in call.trailing_metadata() or ():
            self.evidence.add(label, value)

    def _config(self) -> dict[str, Any]:
        tls = pki().folder
        simulated = {"host": "localhost", "resolve": "127.0.0.1", "allow_private_address": True}
        simulated |= {"ca": str(self.portal.directory / "certificate.pem")}
        return {
            "listen": {
                "address": "127.0.0.1:0",
                "address_file": "run/address",
                "tls": {"certificate": f"{tls}/server.crt", "key": f"{tls}/server.key", "client_ca": str(pki().ca)},
            },
            "ops": {"address": "127.0.0.1:0", "address_file": "run/ops-address"},
            "store": {"sqlite": {"path": "data/lmbroker.db"}},
            "keyring": {"file": "keys/keyring.json"},
            "policy": {"file": "policy.yaml"},
            "audit": {"sinks": [{"file": {"path": "audit/audit.jsonl"}}]},
            "portals": {
                "acme": simulated | {"port": self.portal.port, "master": "acme-root"},
                "down": simulated | {"port": self._nobody.getsockname()[1]},
                "misnamed": simulated | {"port": self.portal.port, "host": "misnamed.logicmonitor.com"},
                "forged": simulated | {"port": self.portal.port, "ca": str(pki().folder / "portal-ca.crt")},
            }
            | {alias: simulated | {"port": self.portal.port} for alias in self._aliases},
        }


def _laid_over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    merged = dict(below)
    for key, value in above.items():
        merged[key] = _laid_over(below[key], value) if key in below else value
        if value is None:
            del merged[key]
    return merged


def _without_handed_over(reply: Any) -> Any:
    """The one reply that holds a key by right is searched without that field."""
    if "handed_over_secret" not in reply.DESCRIPTOR.fields_by_name:
        return reply
    copy = type(reply).FromString(reply.SerializeToString())
    copy.ClearField("handed_over_secret")
    return copy
