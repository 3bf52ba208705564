"""Runs every kernel bench of the build and prints one table; the table of filters for docs/perf.md."""
import glob
import json
import os
import subprocess


def binaries(build, wanted):
    found = sorted(glob.glob(os.path.join(build, "bench", "bench_*")))
    names = {os.path.basename(path)[6:]: path for path in found if "." not in os.path.basename(path)}
    names.pop("calibrate", None)
    unknown = [name for name in wanted if name not in names]
    return unknown, [names[name] for name in (wanted or names) if name in names]


def filters_text(args, root):
    """The section about filters: what each takes, beside its budget; nothing when the bench is not built."""
    path = os.path.join(args.build, "bench", "bench_filters")
    if not os.path.exists(path):
        return ""
    done = subprocess.run(["taskset", "-c", str(args.cpu), path, "--json"], cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    rows = ["## Filters", "", "A whole filter over full batches, by `bench/run --kernels filters`: nanoseconds for an event, or for what the "
            "case names. The median round of each counts.", "", "| filter | case | ns | budget |", "|---|---|---|---|"]
    for line in done.stdout.splitlines():
        case = json.loads(line)
        name = case["case"]
        filter_name, rest = name.split(", ", 1) if not name.startswith("if ") else ("if", name[3:])
        budget = "%g" % case["budget_ns"] if case["budget_ns"] else "-"
        rows.append("| %s | %s | %.1f | %s |" % (filter_name, rest.replace("|", "\\|"), case["ns_per_event"], budget))
    return "\n".join(rows) + "\n\n"


def run(args, root):
    unknown, found = binaries(args.build, args.paths)
    if unknown or not found:
        print("not built: %s (ninja bench_kernels)" % (" ".join(unknown) or "any kernel"))
        return 1
    code = 0
    for i, path in enumerate(found):
        done = subprocess.run(["taskset", "-c", str(args.cpu), path, "--ms", "%d" % (args.seconds * 50)], cwd=root,
                              stdout=subprocess.PIPE, text=True)
        lines = done.stdout.splitlines()
        print("\n".join(lines if i == 0 else lines[1:]), flush=True)
        code = code or done.returncode
    return code
