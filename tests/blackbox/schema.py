"""The API as the built protoset describes it: messages made at run time, so that nothing here is generated code."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[2]
BINARIES = Path(os.environ.get("LMBROKER_BINARIES", ROOT / "build/asan"))
PROTOSET = BINARIES / "proto/lmbroker.protoset"


class Schema:
    """Messages and methods by their full names."""

    def __init__(self, protoset: bytes) -> None:
        files = descriptor_pb2.FileDescriptorSet.FromString(protoset)
        self._pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            self._pool.Add(file)
        self._files = [file.name for file in files.file]
        self._factory = message_factory.MessageFactory(self._pool)

    def message(self, name: str) -> Any:
        """The class of a message, such as `lmbroker.v1.Token`."""
        return self._factory.GetPrototype(self._pool.FindMessageTypeByName(name))

    def method(self, name: str) -> tuple[str, Any, Any]:
        """Path, request class and reply class of `TokenService/GetToken` or `grpc.health.v1.Health/Check`."""
        service, _, method = name.partition("/")
        if "." not in service:
            service = "lmbroker.v1." + service
        found = self._pool.FindServiceByName(service).methods_by_name[method]
        types = [self._factory.GetPrototype(each) for each in (found.input_type, found.output_type)]
        return f"/{service}/{method}", *types

    def methods(self) -> Iterator[str]:
        """Every method of the protoset, as `package.Service/Method`."""
        for name in self._files:
            for service in self._pool.FindFileByName(name).services_by_name.values():
                for method in service.methods:
                    yield f"{service.full_name}/{method.name}"


@functools.cache
def schema() -> Schema:
    """The one of the binaries under test."""
    return Schema(PROTOSET.read_bytes())


@dataclass
class Refusal(Exception):
    """A gRPC error with its details. `reason` is empty for what gRPC itself ended."""

    code: str
    message: str
    reason: str
    domain: str
    metadata: dict[str, str]
    fields: list[str]  # of BadRequest
    retry_after: float | None  # seconds
    request_id: str
    part: tuple[Any, bytes] | None = None  # of a stream: head and body that had come before

    def __str__(self) -> str:
        return f"{self.code} {self.reason or '(no reason)'}: {self.message} {self.metadata or ''} {self.fields or ''}"


def refusal_of(error: grpc.RpcError) -> Refusal:
    """What a failed call says, decoded."""
    code = error.code().name
    refusal = Refusal(code, error.details() or "", "", "", {}, [], None, "")
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            _add_details(refusal, value)
    return refusal


def _add_details(refusal: Refusal, status_bytes: bytes) -> None:
    for packed in schema().message("google.rpc.Status").FromString(status_bytes).details:
        detail = schema().message(packed.type_url.rpartition("/")[2]).FromString(packed.value)
        kind = detail.DESCRIPTOR.name
        if kind == "ErrorInfo":
            refusal.reason, refusal.domain, refusal.metadata = detail.reason, detail.domain, dict(detail.metadata)
        elif kind == "BadRequest":
            refusal.fields = [violation.field for violation in detail.field_violations]
        elif kind == "RetryInfo":
            refusal.retry_after = detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9
        elif kind == "RequestInfo":
            refusal.request_id = detail.request_id
