"""A row of the report: one kind of call, directly, through nginx and through the broker."""

import statistics
import sys
from collections import Counter, defaultdict

import disk
import load

# Of a load. A disk that is busy for more than 250 ms has calls refused, which is no defect; but a load of which more
# were refused says nothing, and is run again.
MOST_REFUSED = 0.005
TRIES = 4
FORWARD_OK = 'lmbroker_requests_total{code="OK",method="/lmbroker.v1.ForwardService/Forward"}'
PORTAL_OK = 'lmbroker_portal_calls_total{class="2xx",portal="acme"}'
REFUSALS = "lmbroker_refusals_total{"


class Row:
    """Figures are kept by what they are and of whom: one each round."""

    def __init__(self, name, stand, plain, forward, durable=False):
        self.name, self.stand, self.forward, self.durable = name, stand, forward, durable
        self.pieces, self.calls_in_piece = (8, 25) if durable else (1, 2000)
        doors = stand.doors
        self.ways = {"direct": (doors["direct"], plain), "nginx": (doors["nginx"], plain),
                     "lmbroker": (doors["lmbroker"], forward)}
        self.processes = {"nginx": stand.proxy, "lmbroker": stand.broker}
        self.forget()

    def forget(self):
        self.cpu, self.rate, self.idle, self.p99 = (defaultdict(list) for _ in range(4))
        self.sync = []
        self.calls = self.repeated = 0
        self.refused = Counter()

    def measure(self, options, backwards):
        """One round. Every other goes backwards, so that what drifts does not favour one."""
        def order(names):
            return reversed(names) if backwards else names

        for name in order(("nginx", "lmbroker")):
            self._load(name, options.calls)
        for name in order(("direct", "nginx", "lmbroker")):
            self._rest(name)
        rate = self.rate["lmbroker"][-1] / 2
        for name in order(("direct", "nginx", "lmbroker")):
            door, request = self.ways[name]
            self.p99[name].append(self._counted(name, lambda: load.paced(door, request, rate, options.seconds)))

    def _load(self, name, calls):
        door, request = self.ways[name]

        def run():
            before = self.processes[name].cpu_us()
            rate = load.full(door, request, calls)
            return calls, (rate, (self.processes[name].cpu_us() - before) / calls)

        rate, cpu = self._counted(name, run)
        self.rate[name].append(rate)
        self.cpu[name].append(cpu)

    def _rest(self, name):
        """Idle calls. Disks change their speed from one second to the next, so the syncs to compare stand between."""
        door, request = self.ways[name]

        def run():
            calls, syncs = [], []
            for _ in range(self.pieces):
                calls += load.idle(door, request, self.calls_in_piece)
                if self.durable and name == "lmbroker":
                    syncs += disk.fdatasync_us(self.calls_in_piece)
            return len(calls), (calls, syncs)

        calls, syncs = self._counted(name, run)
        self.idle[name].append(statistics.median(calls))
        if syncs:
            self.sync.append(statistics.median(syncs))

    def fill(self, calls):
        """Load on the broker, of which only the refusals are counted."""
        door, request = self.ways["lmbroker"]
        self._counted("lmbroker", lambda: (calls, load.full(door, request, calls)))

    def _counted(self, name, run):
        """What `run` gives beside its number of calls. Those of the broker must have reached the portal."""
        if name != "lmbroker":
            return run()[1]
        for _ in range(TRIES):
            before = self.stand.counters()
            calls, figure = run()
            after = self.stand.counters()
            served, refused = _served(before, after), refused_between(before, after)
            self.stand.sweep()
            if calls - served <= MOST_REFUSED * calls:
                self.calls += calls
                self.refused += refused
                return figure
            self.repeated += 1
            print(f"{self.name}: of {calls} calls {served} were served, refused: {dict(refused)}; again",
                  file=sys.stderr)
        sys.exit(f"bench: too many calls were refused; see {self.stand.broker.log}")

    def cpu_ratios(self):
        return [mine / its for mine, its in zip(self.cpu["lmbroker"], self.cpu["nginx"])]

    def added(self, figures, name="lmbroker"):
        """Beyond the direct call, in ms."""
        return [(mine - its) / 1000 for mine, its in zip(figures[name], figures["direct"])]

    def added_beyond_sync(self):
        """What an idle call adds, less one fdatasync, in ms."""
        return [added - sync / 1000 for added, sync in zip(self.added(self.idle), self.sync)]

    def report(self):
        print(f"{self.name}")
        for name in self.ways:
            cells = [f"  {name:9}"]
            if name in self.processes:
                ratios = [mine / its for mine, its in zip(self.cpu[name], self.cpu["nginx"])]
                cells += [f"CPU {spread(self.cpu[name], 0)} µs, ÷ nginx {spread(ratios, 2)};",
                          f"{spread(self.rate[name], 0)} calls/s;"]
            cells += [f"idle p50 {spread([each / 1000 for each in self.idle[name]], 2)} ms;",
                      f"half load p99 {spread([each / 1000 for each in self.p99[name]], 2)} ms"]
            if name != "direct":
                cells.append(f"(added: {spread(self.added(self.idle, name), 2)} and"
                             f" {spread(self.added(self.p99, name), 2)} ms)")
            print(" ".join(cells))
        if self.durable:
            print(f"  one fdatasync: {spread([each / 1000 for each in self.sync], 2)} ms;"
                  f" added when idle beyond it: {spread(self.added_beyond_sync(), 2)} ms")
        print(f"  refused by the broker: {sum(self.refused.values())} of {self.calls} {dict(self.refused)};"
              f" loads run again because it refused too many: {self.repeated}\n")


def _served(before, after):
    """Calls that the broker answered and the portal, too."""
    return int(min(after[key] - before[key] for key in (FORWARD_OK, PORTAL_OK)))


def refused_between(before, after):
    """Calls that the broker refused, by reason."""
    grown = {key: int(after[key] - before[key]) for key in after if key.startswith(REFUSALS)}
    return Counter({key[len(REFUSALS):].split('"')[1]: count for key, count in grown.items() if count > 0})


def spread(figures, digits):
    return f"{statistics.median(figures):.{digits}f} ({min(figures):.{digits}f}–{max(figures):.{digits}f})"
