"""Aims of bench/aims.json beside what was measured, and why those that were missed were (bench/reasons.txt).

An aim is {"path", "aim"} and what is out of the ordinary: "figure" (else cpu_ns_per_event); "ceiling", what a prototype
took; "times", "plus": the aim is relative to that path's figure; "above", "over": the figure is counted from that path's,
or divided by it; "at_least".
"""
import json
import os

import where
from reference import kernel_ns, limits, on_reference

HERE = os.path.dirname(os.path.abspath(__file__))
UNITS = {"cpu_ns_per_event": "ns of CPU/event", "events_per_second": "events/s", "p50_ms": "ms, half of all",
         "p99_ms": "ms, 99 %", "warm_ms": "ms, warm", "cold_ms": "ms, cold", "rss_mb": "MB", "peak_rss_mb": "MB at most"}


def read_aims():
    with open(os.path.join(HERE, "aims.json"), encoding="utf-8") as text:
        return json.load(text)


def read_reasons():
    """{path: why its aim was missed}"""
    with open(os.path.join(HERE, "reasons.txt"), encoding="utf-8") as text:
        lines = [line.rstrip("\n").split("\t", 1) for line in text if line.strip() and not line.startswith("#")]
    return dict(lines)


def value(result, figure, at_reference):
    if figure == "cpu_ns_per_event" and at_reference:
        return on_reference(result)
    found = result[figure]
    return found["median"] if isinstance(found, dict) else found


def measured(results, one, at_reference):
    """The figure that the aim is for; None when a path of it was not measured."""
    figure = one.get("figure", "cpu_ns_per_event")
    needed = [one[key] for key in ("path", "above", "over") if key in one]
    if any(name not in results or figure not in results[name] for name in needed):
        return None
    found = value(results[one["path"]], figure, at_reference)
    if "above" in one:
        found -= value(results[one["above"]], figure, at_reference)
    if "over" in one:
        found /= value(results[one["over"]], figure, at_reference)
    return found


def wanted(results, one):
    """(the aim as a number, as words)"""
    base = one.get("times") or one.get("plus")
    if not base:
        return one["aim"], "%g" % one["aim"]
    if base not in results:
        return None, ""
    found = value(results[base], "cpu_ns_per_event", False)
    if "times" in one:
        return one["aim"] * found, "%g x %s: %.0f" % (one["aim"], base, one["aim"] * found)
    return one["aim"] + found, "%s + %g: %.0f" % (base, one["aim"], one["aim"] + found)


def number(one, found):
    return ("%.2f" if "over" in one else "%.1f" if found < 100 else "%.0f") % found


def what(one):
    if "above" in one:
        return "ns of CPU/event above " + one["above"]
    return "times " + one["over"] if "over" in one else UNITS[one.get("figure", "cpu_ns_per_event")]


def row(results, one):
    """(a row of the table, whether the aim was met); None when it was not measured."""
    raw, found = measured(results, one, False), measured(results, one, True)
    aim, words = wanted(results, one)
    if raw is None or aim is None:
        return None
    # Two paths are compared as they were measured here: what the reference's kernel would take is known of few.
    compared = raw if "times" in one or "plus" in one else found
    met = compared >= aim if one.get("at_least") else compared <= aim
    ceiling = one.get("ceiling", "-")
    return "| %s | %s | %s | %s | %s | %.2f | %s | %s | %s |" % (
        one["path"], what(one), number(one, raw), number(one, found), words, compared / aim, ceiling,
        "-" if ceiling == "-" else "%.2f" % (found / float(ceiling.split()[0])), "met" if met else "**missed**"), met


def reason(name, result, reasons):
    """What the kernel takes of the figure, the largest stages, and what is known besides."""
    kernel = kernel_ns(result, result.get("prices"))
    parts = []
    if kernel is not None:
        parts.append("on this machine the kernel alone takes %.0f of %.0f ns, on the reference %.0f of %.0f." % (
            kernel, result["cpu_ns_per_event"]["median"], kernel_ns(result, limits()["reference"]), on_reference(result)))
    if "where" in result:
        most = sorted(result["where"].items(), key=lambda one: -one[1])[:4]
        parts.append("the largest stages: " + ", ".join("%s (%.0f)" % (stage, share * result["cpu_ns_per_event"]["median"])
                                               for stage, share in most if stage != where.UNATTRIBUTED) + ".")
    parts = [one[0].upper() + one[1:] for one in parts + ([reasons[name]] if name in reasons else [])]
    return "- %s: %s" % (name, " ".join(parts) or "not explained.")


def text(results):
    rows, missed, reasons = [], [], read_reasons()
    for one in read_aims():
        found = row(results, one)
        if found is None:
            continue
        rows.append(found[0])
        if not found[1] and one["path"] not in missed:
            missed.append(one["path"])
    head = ["| path | what | measured | on the reference | aim | of the aim | ceiling | of the ceiling | |", "|---|---|---|---|---|---|---|---|---|"]
    why = ["", "Why some were missed:", ""] + [reason(name, results[name], reasons) for name in missed]
    return "\n".join(head + rows + (why if missed else []))
