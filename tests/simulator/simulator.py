#!/usr/bin/python3
"""A LogicMonitor portal on the loopback address, for tests and for the quick start.

    simulator.py --port 0 --port-file F --certificate C --key K --state FILE [--fault NAME,KEY=VALUE,…]…

It checks signatures by itself, keeps users, roles, tokens and devices in the state file, and misbehaves on demand.
It shares no code with the service and needs nothing but Python's standard library (3.11).

The state file is JSON. `master` in it has `accessId`, `accessKey`, `adminId` and `tokenId` of the token that may
manage all others; README.md describes the other keys, the control API and what the faults are for.
Once it listens, the port in use stands in the port file. SIGTERM and SIGINT end it with exit code 0.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

import fault_modes
import faults
import knobs as knobs_module
from exchange import Exchange
from http_server import HttpServer
from knobs import Knobs
from rate import RateLimits, parse_limit
from state import State

_EPILOG = f"""faults:
{fault_modes.help_text()}
  every fault also takes: method= path= access_id= skip= count=

knobs, with their defaults:
{knobs_module.help_text()}
"""


def main(arguments: list[str]) -> int:
    """Runs until a signal comes. 0 after a signal, 2 when it cannot start."""
    options = _parse(arguments)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        if options.port_file:
            options.port_file.unlink(missing_ok=True)  # of an earlier run
        knobs = Knobs()
        for text in options.knob:
            name, _, value = text.partition("=")
            knobs.assign(name, value)
        limits = RateLimits(knobs, dict(parse_limit(text) for text in options.rate_limit))
        state = State(options.state, options.portal)
        exchange = Exchange(state, knobs, limits)
        for text in options.fault:
            exchange.faults.add(faults.parse(text))
        server = HttpServer(options.port, options.certificate, options.key, exchange, exchange.faults.on_accept)
    except (OSError, OverflowError, ValueError, KeyError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    exchange.control.connections = server.connections
    server.start()
    if options.port_file:
        _write_port(options.port_file, server.port)
    print(f"simulator: portal {state.portal['name']} on https://127.0.0.1:{server.port}", file=sys.stderr)
    if options.until_eof:
        threading.Thread(target=_stop_at_eof, args=(stop,), daemon=True).start()
    stop.wait()
    with state.lock:
        state.save()
    return 0


def _stop_at_eof(stop: threading.Event) -> None:
    while os.read(0, 4096):  # past Python's buffer, whose lock would disturb the end of the process
        pass
    stop.set()


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulator.py",
        description="A LogicMonitor portal on the loopback address.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EPILOG,
    )
    parser.add_argument("--port", type=int, default=0, help="0 = any free one (default)")
    parser.add_argument("--port-file", type=Path, help="gets the port in use, once the simulator listens")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM, with its chain")
    parser.add_argument("--key", type=Path, required=True, help="PEM")
    parser.add_argument("--state", type=Path, required=True, help="JSON; made when it does not exist")
    parser.add_argument("--portal", default="acme", help="the account's name in a new state file (default: acme)")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME,KEY=VALUE", help="repeatable, see below")
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help="repeatable, see below")
    parser.add_argument(
        "--rate-limit",
        action="append",
        default=[],
        metavar="GET=N",
        help="calls a window of a method, or of one endpoint: 'GET /device/devices/{id}=5'; repeatable",
    )
    parser.add_argument("--until-eof", action="store_true", help="ends when standard input does: with its parent")
    return parser.parse_args(arguments)


def _write_port(path: Path, port: int) -> None:
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(f"{port}\n", "ascii")
    os.replace(scratch, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
