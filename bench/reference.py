"""Figures as they would be on the machine that limits and aims are for: its clock, its kernel's prices."""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def limits():
    with open(os.path.join(HERE, "limits.json")) as text:
        return json.load(text)


def ghz(result):
    return result["prices"]["ghz"] if "prices" in result else 4


def kernel_ns(result, prices):
    """What the kernel alone takes to receive an event's bytes and to send its document's; None where lines do not
    come and go in large pieces, which is what the prices are for."""
    if "prices" not in result or not result.get("whole_pieces"):
        return None
    run = result["runs"][0]
    received = prices["receive_ns_per_kb"] * run["bytes_per_line"] / 1000
    if "kernel_drops" in result:
        received = prices["receive_ns_per_datagram"]
    return received + prices["send_ns_per_kb"] * run["bytes_per_document"] / 1000


def on_reference(result):
    """The figure as it would be with the clock and the kernel's prices of the machine the limits were set on."""
    reference = limits()["reference"]
    kernel = kernel_ns(result, result.get("prices"))
    own = result["cpu_ns_per_event"]["median"] - (kernel or 0)
    return own * ghz(result) / reference["ghz"] + (kernel_ns(result, reference) or 0)
