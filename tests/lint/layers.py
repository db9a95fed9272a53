"""Who may include whom: the rows of ARCHITECTURE.md, read from the #include lines and the CMake files.

By hand: `python3 tests/lint/layers.py` prints each violation, one a line.
"""

import pathlib
import re
import sys

# A room sees itself and the rooms in lower rows; rooms of one row do not see each other.
ROWS = (
    ("base",),
    ("crypto", "http"),
    ("policy", "identity", "portal", "store", "h2"),
    ("sign", "audit"),
    ("core",),
    ("rpc", "ops"),
    ("app",),
)
ROW_OF = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
MAIN_ROW = len(ROWS)  # service/main.cc stands above all rooms

# The service speaks gRPC without gRPC's library: its threads and limits would be others than ours.
GRPC_HEADER = re.compile(r"^(grpc|grpcpp)/(?!.*\.pb\.h$)|\.grpc\.pb\.h$")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
ROOM_LIBRARY = re.compile(r"\blmbroker_([a-z0-9]+)\b")


def violations(root):
    """Every violation below `root`, as `file: what is wrong`, in the order of the files."""
    root = pathlib.Path(root)
    found = []
    includes = {}
    for file in sorted(path for top in ("service", "client") for path in (root / top).rglob("*")):
        name = file.relative_to(root).as_posix()
        if file.suffix in (".h", ".cc"):
            includes[name] = INCLUDE.findall(file.read_text(encoding="utf-8"))
            found += [f"{name}: {problem}" for problem in _include_problems(name, includes[name])]
        elif file.name == "CMakeLists.txt":
            found += [f"{name}: {problem}" for problem in _library_problems(name, file.read_text(encoding="utf-8"))]
    return found + _circles(includes)


def _include_problems(name, includes):
    room = _room(name)
    if room is None:
        yield "is in no room that has a row"
        return
    for bracket, header in includes:
        if GRPC_HEADER.search(header) and room != "client":
            yield f"includes <{header}>, but gRPC's library stays in client"
        elif bracket == '"' and not header.endswith(".pb.h"):  # messages are made from proto/, for every room
            problem = _room_problem(room, header)
            if problem:
                yield problem


def _room_problem(room, header):
    target = _room(header)
    if target is None:
        return f'includes "{header}": quotes are for files of a room, written from the root of the repository'
    if target == room:
        return None
    if room == "client":
        return None if target == "base" else f'includes "{header}", but client sees only proto and service/base'
    if target == "client":
        return f'includes "{header}", but nothing in service sees client'
    if _row(target) < _row(room):
        return None
    return f'includes "{header}", but row {_row(room)} ({room}) sees only lower rows; {target} is in row {_row(target)}'


def _library_problems(name, text):
    room = _room(name)
    for target in ROOM_LIBRARY.findall(text) if room in ROW_OF else ():
        if target in ROW_OF and target != room and _row(target) >= _row(room):
            yield f"links lmbroker_{target}, but row {_row(room)} ({room}) sees only lower rows"


def _circles(includes):
    """Circles among files: two headers that include each other can be understood only together."""
    found, done = [], set()

    def visit(name, path):
        if name in path:
            circle = path[path.index(name):] + [name]
            found.append(f"{name}: includes itself: {' > '.join(circle)}")
        elif name not in done:
            for _, header in includes.get(name, ()):
                visit(header, path + [name])
            done.add(name)

    for name in includes:
        visit(name, [])
    return found


def _room(name):
    """`client`, `main`, the room of a file below service/, or None for anything else."""
    parts = name.split("/")
    if parts[0] == "client":
        return "client"
    if name in ("service/main.cc", "service/CMakeLists.txt"):
        return "main"
    if parts[0] == "service" and len(parts) > 2 and parts[1] in ROW_OF and ".." not in parts:
        return parts[1]
    return None


def _row(room):
    return ROW_OF.get(room, MAIN_ROW)


if __name__ == "__main__":
    problems = violations(pathlib.Path(__file__).resolve().parents[2])
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))
