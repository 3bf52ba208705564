"""The measurements: a path is proved, warmed up and repeated; the rest has functions of its own."""
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time

import measure
import paths
import where
from processes import Engine, Kafka, Lines, Load, Sink, Unavailable, loadgen, settle

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests/e2e"))
import frames  # noqa: E402

CHECKED = 200000


def verify(args, engine, receiver, options, udp):
    """Every line once: numbers of the markers are accounted for one by one."""
    if "--file" in options:
        return "not numbered"
    receiver.check(True)
    before = receiver.stats()
    sent = loadgen(args, engine.port, options + ["--events", str(CHECKED)] + (["--rate", "50000"] if udp else []))
    stats = settle(receiver, before["documents"] + sent["events"], udp)
    receiver.check(False)
    stats = receiver.stats()
    receiver.hurry()
    if stats["unique"] == sent["events"] and stats["duplicates"] == 0:
        return "%d of %d, no duplicate" % (sent["events"], sent["events"])
    return "%d of %d, %d duplicates" % (stats["unique"], sent["events"], stats["duplicates"])


def repetition(args, engine, receiver, options, udp=False, events=0, hold=False):
    amount = ["--events", str(events)] if events else ["--seconds", str(args.seconds)]
    held = Load(args, engine.port, options + amount, True) if hold else None
    before = receiver.stats()
    drops, metrics = (measure.udp_drops(engine.port), engine.metrics()) if udp else (0, {})
    perf = measure.Perf(engine.pid)
    threads = measure.cpu_ns_by_thread(engine.pid)
    cpu, ticks, begin = measure.cpu_ns(engine.pid), measure.ticks_ns(engine.pid), time.monotonic()
    load = held or Load(args, engine.port, options + amount)
    n = load.send()
    stats = settle(receiver, before["documents"] + n, udp)
    # The receiver noted when the last document came; the wait after it is not the engine's.
    seconds = stats["seconds"] - before["seconds"] if before["documents"] else stats["seconds"]
    cpu, ticks = measure.cpu_ns(engine.pid) - cpu, measure.ticks_ns(engine.pid) - ticks
    counts = perf.stop()
    by_thread = measure.cpu_ns_by_thread(engine.pid)
    sent = load.finish()
    arrived = stats["documents"] - before["documents"]
    seconds = min(max(seconds, 1e-3), time.monotonic() - begin)
    result = {"sent": sent["events"], "arrived": arrived, "lost": sent["events"] - arrived,
              "events_per_second": arrived / seconds, "cpu_ns_per_event": max(cpu, ticks) / max(arrived, 1),
              "busy": max(cpu, ticks) / 1e9 / seconds, "bytes_per_line": sent["bytes_per_line"],
              "generator_ns_per_event": sent["cpu_ns_per_event"]}
    if "body_bytes" in stats:
        result["bytes_per_document"] = (stats["body_bytes"] - before["body_bytes"]) / max(arrived, 1)
    for name, ns in by_thread.items():
        result["thread " + name] = (ns - threads.get(name, 0)) / max(arrived, 1)
    for name in ("cycles", "instructions"):
        if name in counts:
            result[name + "_per_event"] = counts[name] / max(arrived, 1)
    if "unavailable" in counts:
        result["perf"] = counts["unavailable"]
    if udp:
        result["kernel_drops"] = measure.udp_drops(engine.port) - drops
        result["engine_drop_metrics"] = {name: value - metrics.get(name, 0) for name, value in engine.metrics().items()}
    return result


def sampled(args, engine, receiver, options, path):
    """A repetition of its own, for sampling takes time, too; {stage: share of the engine's time}."""
    engine.cleared()
    sampler = where.Sampler(engine.pid, args.bin)
    repetition(args, engine, receiver, options, path.udp, path.events, path.hold)
    return sampler.stop()


def spread(runs, key):
    values = [run[key] for run in runs if key in run]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(what, verified, peak_kb, runs):
    result = {"what": what, "verified": verified, "peak_rss_mb": peak_kb / 1024, "runs": runs,
              "lost": sum(run["lost"] for run in runs), "sent": sum(run["sent"] for run in runs)}
    for key in ("events_per_second", "cpu_ns_per_event", "cycles_per_event", "instructions_per_event", "busy"):
        result[key] = spread(runs, key)
    result["threads"] = {key[7:]: spread(runs, key)["median"] for key in runs[0] if key.startswith("thread ")}
    if "kernel_drops" in runs[0]:
        result["kernel_drops"] = sum(run["kernel_drops"] for run in runs)
        result["engine_drop_metrics"] = runs[-1]["engine_drop_metrics"]
    return result


def options_of(path, folder):
    """The load's options with the files to replay in place of their names."""
    options = list(path.load)
    for kind in ("last", "none"):
        if "@%s@" % kind in options:
            name = os.path.join(folder, kind)
            with open(name, "w") as out:
                out.write(paths.replay_lines(path.patterns, kind == "last"))
            options = [name if one == "@%s@" % kind else one for one in options]
    return options


def measure_path(args, name):
    path = paths.PATHS[name]
    with tempfile.TemporaryDirectory() as folder:
        options = options_of(path, folder)
        timed = path.timed or options
        receiver = Sink(args) if path.receive == "es" else Kafka() if path.receive == "kafka" else Lines()
        engine = Engine(args, path.config, receiver, n_patterns=path.patterns)
        try:
            checked = verify(args, engine, receiver, options, path.udp)
            engine.cleared()
            if path.events:
                repetition(args, engine, receiver, timed, events=path.events // 4)
            else:
                loadgen(args, engine.port, timed + ["--seconds", str(args.warmup)])
                settle(receiver, 1 << 62, True)
            runs = []
            for _ in range(args.reps):
                engine.cleared()
                runs.append(repetition(args, engine, receiver, timed, path.udp, path.events, path.hold))
            peak_kb = measure.memory_kb(engine.pid, "VmHWM")
            shares = sampled(args, engine, receiver, timed, path) if args.where else None
        finally:
            engine.stop()
            receiver.stop()
    result = summary(path.what, checked, peak_kb, runs)
    if shares:
        result["where"] = shares
    result["whole_pieces"] = path.receive == "es" and not path.hold and "--lumberjack" not in timed
    return result


def measure_generator(args, name):
    """Memory to nowhere: nothing is received, the engine's own counters say how much it did."""
    workers = 2 if name == "generator2" else 1
    engine, runs = Engine(args, name, None, workers=workers), []
    try:
        time.sleep(args.warmup)
        for _ in range(args.reps):
            events, cpu, begin = engine.events()["out"], measure.cpu_ns(engine.pid), time.monotonic()
            time.sleep(args.seconds)
            done, seconds = engine.events()["out"] - events, time.monotonic() - begin
            runs.append({"events_per_second": done / seconds,
                         "cpu_ns_per_event": (measure.cpu_ns(engine.pid) - cpu) / max(done, 1)})
        peak_kb = measure.memory_kb(engine.pid, "VmHWM")
    finally:
        engine.stop()
    return {"what": paths.EXTRA[name], "events_per_second": spread(runs, "events_per_second"),
            "cpu_ns_per_event": spread(runs, "cpu_ns_per_event"),
            "peak_rss_mb": {key: peak_kb / 1024 for key in ("median", "min", "max")}}


def port_of_frames(args, folder):
    """Settings with a port that gives the lines of loadgen, as path C sends them, over and over from memory."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        loadgen(args, sock.getsockname()[1], ["--workload", "rfc3164", "--udp", "--events", "1000", "--rate", "20000"])
        lines = []
        sock.settimeout(1)
        try:
            while len(lines) < 1000:
                lines.append(sock.recv(65536))
        except socket.timeout:
            pass
    mac = bytes.fromhex("027063617000")  # of the first net_pcap port
    path = os.path.join(folder, "frames.pcap")
    frames.write_pcap(path, [frames.datagram(mac, "192.0.2.%d" % (1 + i % 8), "192.0.2.10", 514, line) for i, line in enumerate(lines)])
    return 'dpdk.devices: ["net_pcap0,rx_pcap=%s,infinite_rx=1 192.0.2.10"]\ndpdk.eal_args: "--no-huge -m 128"\n' % path


def measure_dpdk(args, name):
    """The port is never silent, so the engine's core is busy all the time; what it does not take is dropped."""
    binary, runs = args.build + "/dpdk/spate", []
    if not os.path.exists(binary):
        raise Unavailable("%s is not built: tools/dev build dpdk" % binary)
    sink = Sink(args) if name == "M" else None
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(args, "dpdk" if name == "M" else "dpdk-null", sink, binary=binary,
                        settings=port_of_frames(args, folder))
        if sink:
            sink.hurry()
        try:
            time.sleep(args.warmup)
            for _ in range(args.reps):
                events, taken = engine.events()["out"], engine.taken()
                cpu, begin = measure.cpu_ns(engine.pid), time.monotonic()
                time.sleep(args.seconds)
                cpu, seconds = measure.cpu_ns(engine.pid) - cpu, time.monotonic() - begin
                done, now = engine.events()["out"] - events, engine.taken()
                frames_taken = sum(now.values()) - sum(taken.values())
                runs.append({"events_per_second": done / seconds, "cpu_ns_per_event": cpu / max(done, 1),
                             "dropped_percent": 100 * (1 - done / max(frames_taken, 1)), "busy": cpu / 1e9 / seconds})
            peak_kb = measure.memory_kb(engine.pid, "VmHWM")
        finally:
            engine.stop()
            if sink:
                sink.stop()
    return {"what": paths.EXTRA[name], **{key: spread(runs, key) for key in runs[0]},
            "peak_rss_mb": {key: peak_kb / 1024 for key in ("median", "min", "max")}}


def measure_latency(args, _name):
    """From the line's write to the sink's read of its document, at a rate far below the limit."""
    sink, runs = Sink(args), []
    engine = Engine(args, "syslog", sink)
    try:
        for turn in range(args.reps + 1):
            sink.check(True)  # forgets the delays
            before = sink.stats()
            options = ["--workload", "rfc3164", "--latency", "--rate", "50000", "--connections", "4"]
            sent = loadgen(args, engine.port, options + ["--seconds", str(max(args.seconds, 1))])
            delay = settle(sink, before["documents"] + sent["events"], False)["delay"]
            if turn > 0:
                runs.append({key[:-3] + "_ms": delay[key] / 1000 for key in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")})
    finally:
        engine.stop()
        sink.stop()
    return {"what": paths.EXTRA["latency"], **{key: spread(runs, key) for key in runs[0]}}


def measure_start(args, _name):
    cold, warm = [], []
    sink = Sink(args)
    try:
        for _ in range(args.reps):
            data = tempfile.mkdtemp(prefix="spate-bench-data-")
            for times in (cold, warm):
                engine = Engine(args, "grok300", sink, data=data)
                times.append({"ms": engine.start_ms})
                engine.stop()
            shutil.rmtree(data)
    finally:
        sink.stop()
    return {"what": paths.EXTRA["start300"], "cold_ms": spread(cold, "ms"), "warm_ms": spread(warm, "ms")}


def measure_idle(args, _name):
    runs = []
    sink = Sink(args)
    try:
        for _ in range(args.reps):
            engine = Engine(args, "plain", sink, workers=2)
            time.sleep(2)
            cpu = measure.cpu_ns(engine.pid)
            time.sleep(3)
            runs.append({"rss_mb": measure.memory_kb(engine.pid, "VmRSS") / 1024,
                         "cpu_ms_per_second": (measure.cpu_ns(engine.pid) - cpu) / 3e6})
            engine.stop()
    finally:
        sink.stop()
    return {"what": paths.EXTRA["idle"], "rss_mb": spread(runs, "rss_mb"), "cpu_ms_per_second": spread(runs, "cpu_ms_per_second")}


EXTRA = {"M": measure_dpdk, "M-null": measure_dpdk, "generator": measure_generator, "generator2": measure_generator, "latency": measure_latency,
         "start300": measure_start, "idle": measure_idle}
