"""What bench/run prints, what it compares with limits, and docs/perf.md."""
import datetime
import os
import subprocess

import aims
import kernels
import measure
import peers
import where
from reference import ghz, kernel_ns, limits, on_reference

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def figure(value, form="%.0f"):
    if value is None:
        return "-"
    return (form + " (" + form + " to " + form + ")") % (value["median"], value["min"], value["max"])


def by_thread(result):
    """Nanoseconds an event of the threads that count."""
    return ", ".join("%s %.0f" % one for one in sorted(result["threads"].items(), key=lambda one: -one[1]) if one[1] >= 1)


def show(name, result):
    print("%s  %s" % (name, result["what"]))
    if "runs" not in result:
        for key, value in result.items():
            if isinstance(value, dict):
                print("   %-22s %s" % (key, figure(value, "%.1f")))
        return
    print("   events/s               %s" % figure(result["events_per_second"]))
    print("   CPU ns/event           %s" % figure(result["cpu_ns_per_event"], "%.1f"))
    for key in ("cycles", "instructions"):
        if result[key + "_per_event"]:
            print("   %-22s %s" % (key + "/event", figure(result[key + "_per_event"])))
    print("   by thread              %s" % by_thread(result))
    kernel = kernel_ns(result, result.get("prices"))
    if kernel is not None:
        print("   kernel alone           %.1f, so the engine's own are %.1f" % (
            kernel, result["cpu_ns_per_event"]["median"] - kernel))
    print("   on the reference       %.1f (the clock was at %.2f)" % (on_reference(result), ghz(result)))
    if "perf" in result["runs"][0]:
        print("   cycles, instructions   not counted: " + result["runs"][0]["perf"])
    print("   engine's core busy     %s%s" % (figure(result["busy"], "%.2f"),
                                              "  (the generator is the slower side)" if result["busy"]["median"] < 0.9 else ""))
    print("   lost                   %d of %d" % (result["lost"], result["sent"]), end="")
    print(", dropped by the kernel %d, by the engine's metrics %s" % (result["kernel_drops"], result["engine_drop_metrics"] or "-")
          if "kernel_drops" in result else "")
    print("   exactly once           %s" % result["verified"])
    print("   peak memory MB         %.0f" % result["peak_rss_mb"], flush=True)
    for stage, ns in by_stage(result):
        print("   %-32s %6.1f ns" % (stage, ns), flush=True)


def by_stage(result):
    """[(stage, ns an event)] of a path that was sampled, in the table's order."""
    shares = result.get("where", {})
    return [(stage, shares[stage] * result["cpu_ns_per_event"]["median"]) for stage in where.stages() if stage in shares]


def where_rows(results):
    """A table of stages by paths."""
    found = {name: dict(by_stage(result)) for name, result in results.items() if result.get("where")}
    rows = ["| stage | %s |" % " | ".join(found), "|---" * (len(found) + 1) + "|"]
    for stage in where.stages():
        cells = ["%.0f" % found[name][stage] if found[name].get(stage, 0) >= 0.5 else "" for name in found]
        if any(cells) or stage == where.UNATTRIBUTED:
            rows.append("| %s | %s |" % (stage, " | ".join(cells)))
    rows.append("| *all* | %s |" % " | ".join("%.0f" % results[name]["cpu_ns_per_event"]["median"] for name in found))
    return rows if found else []


def where_text(args, results):
    grok = {name: result for name, result in results.items() if name.startswith("grok")}
    tables = [where_rows({name: result for name, result in results.items() if name not in grok}), where_rows(grok)]
    tables = ["\n".join(rows) for rows in tables if rows]
    return "\n\n".join(tables) or "Not sampled: %s." % args.not_sampled


def show_peer(title, name, theirs, ours):
    print("%s, path %s" % (title, name))
    print("   events/s               %s" % figure(theirs["events_per_second"]))
    print("   CPU ns/event           %s" % figure(theirs["cpu_ns_per_event"], "%.1f"))
    print("   its core busy          %s" % figure(theirs["busy"], "%.2f"))
    print("   lost                   %d of %d" % (theirs["lost"], theirs["sent"]))
    print("   exactly once           %s" % theirs["verified"])
    print("   fields                 %s" % theirs["fields"])
    print("   peak memory MB         %.0f" % theirs["peak_rss_mb"])
    print("   spate                  %.1f times the events/s, a %.1fth of the processor time" % (
        1 / peers.ratio(theirs, ours, "events_per_second"), peers.ratio(theirs, ours, "cpu_ns_per_event")), flush=True)


def show_absent(others):
    for name, why in others["absent"].items():
        print("not measured: %s: %s" % (name, why))


def limited(result, key):
    """What a limit is compared with: times of the processor as they would be on the reference machine."""
    value = result.get(key)
    if value is None:
        return None
    return on_reference(result) if key == "cpu_ns_per_event" else value["median"]


def exceeded(results):
    """Medians over their limits, lost lines over TCP, lines that did not come exactly once."""
    bad = []
    for name, result in results.items():
        for key, most in limits().get(name, {}).items():
            value = limited(result, key)
            if value is not None and value > most:
                bad.append("%s: %s is %.1f, limit %g" % (name, key, value, most))
        if "runs" in result and "kernel_drops" not in result and result["lost"]:
            bad.append("%s: %d lines lost" % (name, result["lost"]))
        if "runs" in result and "no duplicate" not in result["verified"] and result["verified"] != "not numbered":
            bad.append("%s: not exactly once: %s" % (name, result["verified"]))
    return bad


DOCS = """# Performance

Written by `bench/run --write-docs`; do not edit. {date}, commit {commit}.

## Machine

{machine}. Before the run: {calibration}.
Command: `{command}`.

## Method

One engine process with all its threads on one processor core (`taskset`; `generator2` has two); the load generator and
the fake Elasticsearch share another. Everything goes over loopback sockets: `tools/loadgen` sends lines that it prepared in
memory, `tools/sink` answers every bulk request with one status for each document. While numbered lines are checked it
reads every document; in the timed runs it drops bodies unread and counts by the requests' heads, so that the receiving
side costs the sender's core as little as another machine would.
Bulk requests are not compressed, except in path I. Path L sends windows that were compressed before; path G leaves out
what opening and closing its connections takes. Each path first proves with numbered lines that every line arrives exactly
once, then warms up for {warmup:g} s, then runs {reps} times for {seconds:g} s and until the last document has arrived.

Figures are the median, with the least and the greatest of the repetitions in brackets. *CPU ns/event* is the
processor time of the engine (user and system, all threads) divided by the documents that arrived. It is the figure
to compare: events/s is bounded by the generator wherever the engine's core was not busy all the time. Over loopback
the sender's core does the receive work of the network stack, so a real network card adds to it. Lost lines are what
loadgen sent minus what the sink counted; over TCP there must be none. Virtual machines change their clock from minute
to minute, and with the neighbours what the kernel takes to move a byte over loopback, wake-ups included: both are
measured before and after each path, by a program that does nothing else (`bench/kernels/calibrate.c`). *Kernel* is what
the kernel alone takes for an event's bytes in and out, *own* is the rest, the engine's part. *On the reference* is the
own part at {reference[ghz]:g} GHz and the kernel at {reference[send_ns_per_kb]:g} ns to send and
{reference[receive_ns_per_kb]:g} ns to receive 1,000 bytes and {reference[receive_ns_per_datagram]:g} ns for a datagram:
the machine on which the limits below were set.

## Figures

| path | what | events/s | CPU ns/event | by thread | kernel | own | clock GHz | on the reference | cycles/event | instructions/event | core busy | lost | peak MB |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
{rows}

{extra}
## Aims

What the engine is to reach, and for some paths the *ceiling*: what a prototype of nothing but that path's inner loops took.
Times of the processor are compared as they are on the reference. Many groks are counted on top of *grok0*, the same lines
without a grok; two shards as events/s over those of one. Where the aim is relative to another path, both are as measured.

{aims}

## Where the time goes

Nanoseconds an event by stage: the share of a stage's samples of the path's CPU ns/event, from a repetition of its own in
which `perf` sampled the engine {frequency} times a second of processor time. The engine's code is told apart by source file,
inlined functions on their own; libraries by name; the kernel's code by what called it: page faults, wake-ups,
receiving, sending. Over loopback what sending takes has in it what the kernel does to receive it on the other side.
`bench/stages.tsv` says which code is which stage; what it does not know is *unattributed*. In path K *librdkafka* is all that
its threads do outside the kernel; in path L *ISA-L* inflates the windows, in path I it deflates the requests.

{where}

## Tried and lost

| what | what came of it |
|---|---|
{lost}

{filters}{peers}## Limits

`bench/run --check` fails when a figure on the reference exceeds its limit (`bench/limits.json`), when a line over TCP is lost, or when the numbered lines do not arrive exactly once. {verdict}

| path | figure | limit | measured |
|---|---|---|---|
{limit_rows}
"""


def peers_text(results, others):
    """The section about peers; nothing when they were not measured."""
    if others is None:
        return ""
    rows = ["## Peers", "", "The same lines, the same processor alone, the same sink, in the same session; configurations of our own "
            "in `bench/peers`, tuned as the manuals advise. Each has to deliver every line once, with the fields that spate "
            "delivers. *Ratio* is spate's advantage in events/s, in brackets in processor time.", "",
            "| peer | path | events/s | CPU ns/event | core busy | ratio | fields | exactly once | peak MB |",
            "|---|---|---|---|---|---|---|---|---|"]
    for title, by_path in others["peers"].items():
        for name, theirs in by_path.items():
            rows.append("| %s | %s | %s | %s | %.0f %% | %.1f (%.1f) | %s | %s | %.0f |" % (
                title, name, figure(theirs["events_per_second"]), figure(theirs["cpu_ns_per_event"], "%.1f"),
                theirs["busy"]["median"] * 100, 1 / peers.ratio(theirs, results[name], "events_per_second"), peers.ratio(theirs, results[name], "cpu_ns_per_event"),
                theirs["fields"], theirs["verified"], theirs["peak_rss_mb"]))
    rows += ["", "Not measured: " + "; ".join("%s (%s)" % one for one in others["absent"].items()) + ".", "", ""]
    return "\n".join(rows)


def lost_text():
    """Rows of bench/lost.tsv."""
    with open(os.path.join(ROOT, "bench/lost.tsv"), encoding="utf-8") as text:
        return "\n".join("| %s | %s |" % tuple(line.rstrip("\n").split("\t")) for line in text if not line.startswith("#"))


def write_docs(args, results, calibration, others):
    rows, extra, limit_rows = [], [], []
    for name, r in results.items():
        if "runs" in r:
            lost = "%d of %d" % (r["lost"], r["sent"])
            if "kernel_drops" in r:
                lost += " (kernel: %d)" % r["kernel_drops"]
            kernel = kernel_ns(r, r.get("prices"))
            own = "-" if kernel is None else "%.0f" % (r["cpu_ns_per_event"]["median"] - kernel)
            rows.append("| %s | %s | %s | %s | %s | %s | %s | %.2f | %.0f | %s | %s | %.0f %% | %s | %.0f |" % (
                name, r["what"], figure(r["events_per_second"]), figure(r["cpu_ns_per_event"], "%.1f"),
                by_thread(r), "-" if kernel is None else "%.0f" % kernel, own, ghz(r), on_reference(r),
                figure(r["cycles_per_event"]), figure(r["instructions_per_event"]), r["busy"]["median"] * 100, lost,
                r["peak_rss_mb"]))
        else:
            extra += ["%s (%s): %s.\n" % (name, r["what"], ", ".join("%s %s" % (key, figure(value, "%.1f"))
                                          for key, value in r.items() if isinstance(value, dict)))]
        for key, most in limits().get(name, {}).items():
            limit_rows.append("| %s | %s | %g | %.1f |" % (name, key, most, limited(r, key)))
    bad = exceeded(results)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True).stdout.strip()
    text = DOCS.format(
        date=datetime.date.today().isoformat(), commit=commit or "unknown", machine=measure.machine(),
        calibration="not calibrated" if calibration is None else
        "%(ghz).2f GHz by dependent additions, %(round_trip_ns).0f ns for a cache line to the other core and back; the "
        "kernel alone takes %(send_ns_per_kb).0f ns of processor time to send and %(receive_ns_per_kb).0f ns to receive "
        "1,000 bytes over loopback in large pieces, and %(receive_ns_per_datagram).0f ns to receive a datagram" % calibration,
        command="bench/run --write-docs%s --reps %d --seconds %g" % (" --peers" if others else "", args.reps, args.seconds),
        peers=peers_text(results, others), filters=kernels.filters_text(args, ROOT), warmup=args.warmup, reference=limits()["reference"],
        reps=args.reps, seconds=args.seconds, rows="\n".join(rows), extra="\n".join(extra),
        verdict="This run kept all of them." if not bad else "This run exceeded: " + "; ".join(bad) + ".",
        limit_rows="\n".join(limit_rows), where=where_text(args, results), lost=lost_text(), aims=aims.text(results), frequency=where.FREQUENCY)
    os.makedirs(os.path.join(ROOT, "docs"), exist_ok=True)
    with open(os.path.join(ROOT, "docs", "perf.md"), "w") as out:
        out.write(text)
