"""What was measured, as it is kept (docs/bench/NAME.json), and the tables of docs/benchmarks.md, which are made of it alone."""
import json
import re

from bench import RESULTS, ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
BLOCK = re.compile(r"(<!-- bench: ([\w-]+) -->\n)(.*?)(<!-- /bench -->)", re.DOTALL)


def path(name):
    return RESULTS / f"{name}.json"


def read(name):
    """What was kept of this bench; `None` when it never ran."""
    try:
        return json.loads(path(name).read_text())
    except FileNotFoundError:
        return None


def write(document):
    RESULTS.mkdir(parents=True, exist_ok=True)
    path(document["bench"]).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def origin(document):
    """When, where and by what command, for below the tables."""
    machine, load = document["machine"], document["load"]
    return (
        f"*`make bench ARGS={document['bench']}`, {document['date']}, commit {document['commit']}; {machine['processor']}, "
        f"{machine['cores']} cores, {machine['system']}; load {load['before']:.1f} before and {load['after']:.1f} after.*"
    )


def blocks(benches, problems):
    """Every block that the results give: its name, its text."""
    made = {}
    for name, bench in benches.items():
        document = read(name)
        if document is None:
            continue
        tables = bench.tables(document["results"])
        if name not in tables:
            problems.append(f"{name} has no table of its own name")
        for block, text in tables.items():
            made[block] = text.strip() + (f"\n\n{origin(document)}" if block == name else "")
    return made


def rendered(text, made, problems):
    """The page with these blocks in their places."""
    there = set()

    def put(match):
        name = match.group(2)
        there.add(name)
        if name not in made:
            problems.append(f"docs/benchmarks.md has a block {name} that no result fills: run `make bench`, or take its markers out")
            return match.group(0)
        return f"{match.group(1)}{made[name]}\n{match.group(4)}"

    page = BLOCK.sub(put, text)
    problems += [f"docs/benchmarks.md has no block {name}" for name in made if name not in there]
    return page


def render(benches):
    """Writes the tables, and tells what changed or is missing."""
    problems = []
    text = PAGE.read_text()
    page = rendered(text, blocks(benches, problems), problems)
    if page != text:
        PAGE.write_text(page)
        problems.append("tables written into docs/benchmarks.md")
    return problems


def faults(benches, text=None):
    """What of the page is not what the results say."""
    problems = []
    text = PAGE.read_text() if text is None else text
    page = rendered(text, blocks(benches, problems), problems)
    old = {match.group(2): match.group(3) for match in BLOCK.finditer(text)}
    new = {match.group(2): match.group(3) for match in BLOCK.finditer(page)}
    return problems + [
        f"the table {name} of docs/benchmarks.md is not what docs/bench says: run `make bench-render`" for name in new if old[name] != new[name]
    ]
