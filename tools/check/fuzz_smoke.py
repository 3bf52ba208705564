#!/usr/bin/env python3
"""Runs every fuzz target for a few seconds on its corpus; one JUnit case each.

The target named canary must crash: it shows that a crash would be noticed.
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile
import xml.sax.saxutils as sax


def run(path, seconds):
    name = os.path.basename(path)
    corpus = os.path.join("tests", "corpus", name)
    with tempfile.TemporaryDirectory() as scratch:
        cmd = [path, "-max_total_time=%d" % seconds, "-timeout=20", "-rss_limit_mb=2048", "-close_fd_mask=1",
               "-artifact_prefix=%s/" % scratch, "-max_len=65536", scratch]
        if os.path.isdir(corpus):
            cmd.append(corpus)
        done = subprocess.run(cmd, capture_output=True, text=True, errors="replace", timeout=seconds * 10 + 120)
    text = "\n".join(done.stderr.split("\n")[-40:])
    if name == "fuzz_canary":
        return None if done.returncode != 0 else "the canary did not crash"
    return None if done.returncode == 0 else text


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seconds", type=int, default=5)
    ap.add_argument("--name", default="")
    ap.add_argument("--junit", required=True)
    ap.add_argument("folder", help="folder of the built targets")
    opts = ap.parse_args()
    cases = []
    for path in sorted(glob.glob(os.path.join(opts.folder, "fuzz_*"))):
        name = os.path.basename(path)
        if not os.access(path, os.X_OK) or opts.name not in name:
            continue
        bad = run(path, opts.seconds)
        cases.append((name, bad))
        if bad:
            print("fuzz %s FAILED\n%s" % (name, bad))
    if not cases:
        cases.append(("targets", "no fuzz target was found in " + opts.folder))
    print("fuzz: %d targets, %d s each" % (len(cases), opts.seconds))
    with open(opts.junit, "w", encoding="utf-8") as out:
        out.write('<testsuite name="fuzz">')
        for name, bad in cases:
            out.write('<testcase classname="fuzz" name="%s">' % name)
            if bad:
                out.write("<failure>%s</failure>" % sax.escape("".join(c for c in bad if c.isprintable() or c == "\n")))
            out.write("</testcase>")
        out.write("</testsuite>")
    return 1 if any(bad for _, bad in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
