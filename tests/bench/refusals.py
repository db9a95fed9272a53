"""Whether the time of a refusal tells what there is: a caller asks for what does not exist and for what it may not have,
in turns, and the times are compared.

  LMBROKER_BINARIES=build/release python3 tests/bench/refusals.py [CALLS]     CALLS of each kind, 4000 unless given

A line for each pair: the medians, their difference, and how often one of the first kind took longer than one of the
second (0.5: no difference to be seen; the error of that number alone is 0.3 / sqrt(CALLS)).
"""

import bisect
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "blackbox"))

from schema import Refusal  # noqa: E402
from world import PORTAL, World  # noqa: E402

CALL = {"portal": PORTAL, "method": "GET", "path": "/device/devices"}
ADMIN = f"{PORTAL}/admins"
# Who asks, which RPC, for what does not exist, for what is forbidden.
PAIRS = {
    "portal": ("inventory", "ForwardService/Forward", CALL | {"portal": "portals/nowhere"},
               CALL | {"portal": "portals/down"}),
    "credential": ("inventory", "ForwardService/Forward", CALL | {"credential": f"{PORTAL}/credentials/no-such"},
                   CALL | {"credential": f"{PORTAL}/credentials/writer"}),
    "a stranger's portal": ("stranger", "ForwardService/Forward", CALL | {"portal": "portals/nowhere"}, CALL),
    "a token's user": ("manager", "TokenService/GetToken", {"name": f"{ADMIN}/99999/tokens/1"},
                       {"name": f"{ADMIN}/35/tokens/1"}),
    "a credential to an operator's method": (
        "inventory", "CredentialService/GetCredential", {"name": f"{PORTAL}/credentials/no-such"},
        {"name": f"{PORTAL}/credentials/writer"}),
    "a caller": ("inventory", "PolicyService/ListGrants", {"caller": "no-such-caller"}, {"caller": "writer"}),
}  # fmt: skip


def timed(world: World, who: str, method: str, fields: dict) -> float:
    start = time.perf_counter()
    try:
        world.call(who, method, **fields)
    except Refusal as refusal:
        assert refusal.reason == "NO_GRANT", refusal
        return time.perf_counter() - start
    raise AssertionError(f"{method} was allowed")


def chance(first: list[float], second: list[float]) -> float:
    """That one of the first takes longer than one of the second: Mann and Whitney's U, over its most."""
    ordered = sorted(second)
    return sum(bisect.bisect_left(ordered, value) for value in first) / (len(first) * len(second))


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    world = World()
    try:
        world.start()
        for name in ("inventory-reader", "writer"):
            world.credential(name, 34)
        for what, (who, method, unknown, forbidden) in PAIRS.items():
            times: dict[str, list[float]] = {"unknown": [], "forbidden": []}
            kinds = [("unknown", unknown), ("forbidden", forbidden)] * (calls + 50)
            random.Random(7).shuffle(kinds)
            for kind, fields in kinds:
                times[kind].append(timed(world, who, method, fields))
            first, second = (times[kind][50:] for kind in ("unknown", "forbidden"))
            medians = [statistics.median(each) * 1e6 for each in (first, second)]
            print(f"{what}: unknown {medians[0]:.0f} µs, forbidden {medians[1]:.0f} µs, "
                  f"difference {medians[0] - medians[1]:+.1f} µs, chance {chance(first, second):.3f}", flush=True)
    finally:
        world.close()


if __name__ == "__main__":
    main()
