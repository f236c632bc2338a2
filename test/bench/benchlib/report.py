"""Tables from measurements."""

import json
import os
import re
import statistics

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
REFERENCE = "recvlogical"


def medians(results):
    """One object per workload, contender and script (where a workload has
    several), numbers being medians; "runs" says of how many."""
    groups = {}
    for result in results:
        key = result["workload"], result["contender"], result.get("script")
        groups.setdefault(key, []).append(result)
    return [{**_median(group), "runs": len(group)}
            for group in groups.values()]


def _median(values):
    """The median of equally built values: numbers, or dicts of them."""
    if isinstance(values[0], dict):
        names = {name: None for value in values for name in value}
        return {name: _median([value[name] for value in values
                               if name in value]) for name in names
                if name != "run"}
    if isinstance(values[0], (int, float)):
        middle = statistics.median(values)
        return int(middle) if middle == int(middle) else round(middle, 4)
    return values[0]


# ---- the table of throughput ----------------------------------------------

HEADER = ["Workload", "Contender", "Changes", "Wall s", "Changes/s",
          "Decoding CPU µs/change", "All CPU s", "CPU vs (a)", "Wall vs (a)",
          "Rows/load", "Rows shipped/change", "Memory MB, peak"]


def _ratio(reference, value):
    return f"{reference / value:.2f}×" if reference and value else "-"


def _memory(result, roles):
    """The highest resident memory, and how much of it is private."""
    parts = []
    for role in roles:
        peak = result["peak_rss_mb"].get(role)
        if peak and "hwm" in peak:
            parts.append(f"{role} {peak['hwm']:.0f} "
                         f"({peak.get('anon', 0):.0f} private)")
    return ", ".join(parts) or "-"


def table(header, lines):
    """As Markdown; the first column to the left, the others to the right."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (
        header, ["---"] + ["--:"] * (len(header) - 1), *lines))


def _line(result, reference, contender, names):
    rows, wall = result["rows"], result["wall_s"]
    decoding = result["cpu_s"].get(contender.ROLES[0], 0)
    all_cpu = sum(value for role, value in result["cpu_s"].items()
                  if role in contender.ROLES)
    their_cpu = their_wall = 0
    if reference:
        their_cpu = reference["cpu_s"].get("walsender", 0)
        their_wall = reference["wall_s"]
    if rows >= 10**6:
        changes = f"{rows / 1e6:g} M"
    else:
        changes = f"{rows / 1e3:g} k"
    return [*names, changes, f"{wall:.2f}",
            f"{rows / wall / 1e6:.2f} M", f"{decoding / rows * 1e6:.2f}",
            f"{all_cpu:.2f}", _ratio(their_cpu, decoding),
            _ratio(their_wall, wall),
            f"{result.get('rows_per_load', 0):,.0f}"
            if result.get("rows_per_load") else "-",
            f"{result['rows_received'] / rows:.2g}"
            if result.get("rows_received") else "-",
            _memory(result, contender.ROLES[:2])]


def _names(workload, contender, result, titles, runs):
    if not titles:
        return workload.NAME, contender.NAME
    fewer = "" if result["runs"] >= runs else \
        " (one run)" if result["runs"] == 1 else f" ({result['runs']} runs)"
    return workload.TITLE, contender.TITLE + fewer


def throughput(middle, workloads, contenders, titles, runs):
    """Rows of cells; with titles instead of names for those who read it."""
    lines = []
    for workload in workloads:
        found = {result["contender"]: result for result in middle
                 if result["workload"] == workload.NAME}
        if hasattr(workload, "measure"):
            continue
        for contender in contenders:
            if contender.NAME in found:
                result = found[contender.NAME]
                lines.append(_line(
                    result, found.get(REFERENCE), contender,
                    _names(workload, contender, result, titles, runs)))
    return lines


# ---- the rest ---------------------------------------------------------------

def paragraphs(middle, workloads):
    """What the workloads themselves say about what was found."""
    for workload in workloads:
        found = [result for result in middle
                 if result["workload"] == workload.NAME]
        if found and hasattr(workload, "report"):
            yield from workload.report(found)


NOTES = ("Decoding CPU is that of the walsender or of the decoder; all CPU "
         "adds pg_recvlogical, or the shipper and the blackhole, but not the "
         "rest of the server. Ratios above 1 are in favour of dbmazz. Memory "
         "is the highest resident size (pages of shared memory included); "
         "private is its part that is not shared.")


# ---- output ---------------------------------------------------------------

def as_text(lines):
    rows = [HEADER] + lines
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    out = []
    for row in rows:
        cells = [cell.ljust(width) if i < 2 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        out.append("  ".join(cells).rstrip())
    out.insert(1, "-" * min(len(out[0]), 160))
    return "\n".join(out)


def as_markdown(lines, sentences):
    out = []
    if lines:
        out.append("| " + " | ".join(HEADER) + " |")
        out.append("|---|---|" + "--:|" * (len(HEADER) - 3) + "---|")
        out += ["| " + " | ".join(row) + " |" for row in lines]
        out += ["", NOTES]
    for sentence in sentences:
        out += ["", sentence]
    return "\n".join(out).strip() + "\n"


def write_markdown(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{BEGIN}\n{text}{END}\n")


def write_json(path, conditions, results, middle):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"conditions": conditions, "results": results,
                   "medians": middle}, file, indent=1, sort_keys=False)
        file.write("\n")


def update_section(path, text, begin=BEGIN, end=END):
    """Replace what is between the markers; False if there are none."""
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        old = file.read()
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    new, count = re.subn(pattern, lambda _: f"{begin}\n{text}{end}", old,
                         flags=re.DOTALL)
    if count:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
    return count > 0
