"""What was sent to the target, and in how many requests."""

from . import report

# what others are compared with: JSON, not compressed
PLAIN = "http"


def figures(stats):
    """Of the blackhole's, for results.json."""
    return {"bytes_sent": stats["bytes"], "bytes_plain": stats["plain_bytes"],
            "requests": {"frontend": stats["fe"], "backend": stats["be"]}}


def _line(result, plain):
    rows = result["rows_received"]
    size = result["bytes_sent"] / rows
    ratio = "-"
    if plain:
        ratio = f"{plain['bytes_sent'] / plain['rows_received'] / size:.2f}"
    shipper = result["cpu_s"].get("shipper", 0) / result["rows"]
    return [result["contender"], f"{size:.1f}",
            f"{result['bytes_plain'] / rows:.1f}", ratio,
            f"{shipper * 1e6:.3f}"]


def table(middle):
    """Of those contenders that have sent something."""
    found = [result for result in middle if "bytes_sent" in result]
    plain = [result for result in found if result["contender"] == PLAIN]
    return report.table(
        ["Contender", "Bytes sent a row", "Before compression",
         f"Bytes of {PLAIN} / bytes sent", "Shipper CPU µs/change"],
        [_line(result, plain[0] if plain else None) for result in found])


def sentence(result):
    """Requests a load; what a round trip is says ../README.md."""
    loads = result["loads"]
    fe, be = result["requests"]["frontend"], result["requests"]["backend"]

    def each(*counts):
        return f"{sum(counts) / loads:.2f}"

    trips = [role[name] for role in (fe, be)
             for name in ("connections", "requests", "continues")]
    refused = fe["refused"] + be["refused"]
    return (f"A load of {result['contender']}, as the mean of {loads:,.0f}, "
            f"took {each(fe['requests'])} requests to frontends "
            f"({each(fe['redirects'])} answered with 307, "
            f"{each(fe['schemas'])} for the table's columns) on "
            f"{each(fe['connections'])} new connections, and "
            f"{each(be['requests'])} to backends "
            f"({each(be['continues'])} told 100 Continue before the body) on "
            f"{each(be['connections'])} new connections: {each(*trips)} "
            "round trips, connecting included"
            + (f"; {refused:,.0f} were refused." if refused else "."))
