"""Runs every kernel bench of the build and prints one table."""
import glob
import os
import subprocess


def binaries(build, wanted):
    found = sorted(glob.glob(os.path.join(build, "bench", "bench_*")))
    names = {os.path.basename(path)[6:]: path for path in found if "." not in os.path.basename(path)}
    names.pop("calibrate", None)
    unknown = [name for name in wanted if name not in names]
    return unknown, [names[name] for name in (wanted or names) if name in names]


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
