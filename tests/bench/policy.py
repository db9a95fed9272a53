"""The policy of the measurement: 1 000 grants of 100 callers."""

CALLERS = 100
GRANTS_OF_EACH = 10

RESOURCES = ("alert", "dashboard", "device", "report", "service", "setting", "topology", "website")

# What the measured caller uses stands among its other grants, and the caller among the others.
USED = (
    '{ portal: acme, credential: inventory-reader, methods: [GET, POST], paths: ["/device/**"] }',
    '{ portal: acme, credential: inventory-reader, api: ingest, methods: [POST], paths: ["/metric/ingest"] }',
)


def text():
    names = [f"caller-{number:03}" for number in range(CALLERS)]
    names[CALLERS // 3], names[CALLERS // 2] = "stranger", "inventory"
    lines = ["callers:"]
    for name in names:
        lines += [f"  - name: {name}", f'    identities: ["spiffe://corp.example/ns/{name}/sa/app"]', "    forward:"]
        lines += [f"      - {grant}" for grant in _grants(name)]
    lines += ["  - name: operators", '    identities: ["dns:ops.corp.example"]', "    operator: true"]
    return "\n".join(lines) + "\n"


def revocations():
    """Of others."""
    serials = [f"{number:032X}" for number in range(1, 1001)]
    return f'serials: {serials}\nidentities: ["spiffe://corp.example/ns/gone/sa/app"]\n'


def _grants(name):
    used = USED if name == "inventory" else ()
    others = [_other(number) for number in range(GRANTS_OF_EACH - len(used))]
    middle = len(others) // 2
    return [*others[:middle], *used, *others[middle:]]


def _other(number):
    """A grant of any caller. None covers a call that is measured."""
    resource = RESOURCES[number % len(RESOURCES)]
    return (f'{{ portal: acme, credential: {resource}-reader-{number}, methods: [GET], '
            f'paths: ["/{resource}/list/{number}/**", "/{resource}/{number}/*/detail"] }}')
