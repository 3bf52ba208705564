#!/usr/bin/env python3
"""Adds up the JUnit files of a test run; prints what failed and was skipped, and one closing line."""
import glob
import os
import re
import sys
import xml.etree.ElementTree as et


def read(path):
    """Messages may quote a program's colours and bells, which XML cannot have, and pytest writes as they are."""
    with open(path, "rb") as file:
        return et.fromstring(re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"", file.read()))


def main():
    passed = failed = skipped = 0
    files = sorted(glob.glob(os.path.join(sys.argv[1], "*.xml")))
    for path in files:
        for case in read(path).iter("testcase"):
            name = "%s: %s" % (os.path.basename(path)[:-4], case.get("name"))
            skip, bad = case.find("skipped"), case.find("failure")
            bad = case.find("error") if bad is None else bad
            if bad is not None or case.get("status") == "fail":
                failed += 1
                print("FAILED  " + name)
            elif skip is not None or case.get("status") in ("notrun", "disabled"):
                skipped += 1
                reason = (skip.get("message") if skip is not None else "") or ""
                if "SKIP_RETURN_CODE" in reason or not reason:
                    reason = (case.findtext("system-out") or reason).strip().split("\n")[-1]
                print("SKIPPED %s (%s)" % (name, reason))
            else:
                passed += 1
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
