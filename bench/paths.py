"""What bench/run measures: each path's configuration, load and receiver."""
import dataclasses


@dataclasses.dataclass
class Path:
    what: str
    config: str          # bench/pipelines/CONFIG.conf
    load: list           # options of loadgen; @last@ and @none@ are files of replay_lines
    timed: list = None   # of the timed runs, where they differ
    udp: bool = False
    receive: str = "es"  # es: the sink; file, stdout: what the engine writes is read and counted; kafka: a broker
    patterns: int = 0    # of a grok, where the configuration says #PATTERNS#
    events: int = 0      # of a timed run, instead of seconds: where the output fills a disk
    needs_files: int = 0  # open files
    hold: bool = False   # what opening and closing the connections takes is left out


PATHS = {
    "A": Path("syslog RFC 3164 over TCP to bulk", "syslog", ["--workload", "rfc3164"]),
    "B": Path("syslog RFC 5424 over TCP to bulk", "syslog", ["--workload", "rfc5424"]),
    "C": Path("syslog over UDP to bulk", "syslog", ["--workload", "rfc3164", "--udp"], udp=True),
    "D": Path("lines over TCP, grok COMBINEDAPACHELOG, date, to bulk", "apache", ["--workload", "apache"]),
    "E": Path("NDJSON over TCP to bulk", "ndjson", ["--workload", "ndjson"]),
    "F": Path("as D, with conditionals, mutate, kv and a date of three formats", "chain", ["--workload", "apache"]),
    "G": Path("10,000 TCP connections, a short line a write, to bulk", "plain",
              ["--workload", "short", "--connections", "10000", "--write-size", "0"], needs_files=10100, hold=True),
    "H": Path("syslog RFC 3164 over TCP to a file", "file", ["--workload", "rfc3164"], receive="file", events=1000000),
    "H-stdout": Path("syslog RFC 3164 over TCP to a pipe", "stdout", ["--workload", "rfc3164"], receive="stdout"),
    "I": Path("as A, bulk requests compressed with gzip", "gzip", ["--workload", "rfc3164"]),
    "K": Path("syslog RFC 3164 over TCP to a Kafka broker", "kafka", ["--workload", "rfc3164"], receive="kafka"),
    "L": Path("beats, windows of 2,000 events, compressed, to bulk", "beats", ["--lumberjack", "--connections", "4"],
              timed=["--lumberjack", "--connections", "4", "--no-marker"]),
    "grok0": Path("lines over TCP to bulk, no grok", "plain", ["--file", "@last@"], patterns=10),
    **{"grok%d-%s" % (n, kind): Path("%d grok patterns, %s" % (n, text), "grokmany", ["--file", "@%s@" % kind], patterns=n)
       for n in (10, 50, 200) for kind, text in (("last", "the last one matches"), ("none", "none matches"))},
}
EXTRA = {
    "M": "syslog datagrams from a poll-mode port (DPDK; frames in memory) to bulk",
    "M-null": "the same to nowhere",
    "generator": "events from memory to nowhere, one shard",
    "generator2": "events from memory to nowhere, two shards",
    "latency": "syslog RFC 3164 over TCP to bulk at 50,000 events a second: from sending to the sink",
    "start300": "time to start with 300 groks, without and with compiled databases on disk",
    "idle": "memory and processor time at rest, two shards",
}

# ---- the patterns of the many-groks paths ----

FAMILIES = [
    "%%ASA-%(d)d-30%(n)04d: Built %%{WORD:direction} TCP connection %%{INT:id} for %%{NOTSPACE:src} to %%{NOTSPACE:dst}",
    "^%%{TIMESTAMP_ISO8601:ts} %%{LOGLEVEL:level} service%(n)d %%{GREEDYDATA:text}",
    "%%{IP:client} %%{WORD:verb} /app%(n)d/%%{NOTSPACE:path} %%{NUMBER:ms}ms",
    "user=%%{USERNAME:user} action=a%(n)d(?: target=%%{NOTSPACE:target})? result=%%{WORD:result}",
    "%%{SYSLOGTIMESTAMP:ts} %%{HOSTNAME:host} unit%(n)d\\[%%{POSINT:pid}\\]: %%{GREEDYDATA:text}",
]


def patterns(n):
    return [FAMILIES[i % len(FAMILIES)] % {"n": i, "d": i % 7} for i in range(n)]


def quote(pattern):
    return "'%s'" % pattern.replace("'", ".")


def fill(text, n_patterns):
    """A configuration with its patterns where the markers are."""
    return (text.replace("#PATTERNS#", ",\n".join(map(quote, patterns(n_patterns))))
            .replace("#GROKS#", "\n".join('grok { match => { "message" => %s } }' % quote(one) for one in patterns(300))))


def replay_lines(n_patterns, matching):
    """Lines for the last of n patterns (a family of its own), or for none of them."""
    unit = "unit%d" % (n_patterns - 1) if matching else "unit4x9"
    return "".join("Nov 21 10:%02d:%02d host%d.example.net %s[%d]: job %d done in %d ms, 17 files, checksum %08x seq=%012d\n"
                   % (i // 60 % 60, i % 60, i % 40, unit, 300 + i, i * 7919, i % 3000, i * 2654435761 % 2**32, i)
                   for i in range(20000))
