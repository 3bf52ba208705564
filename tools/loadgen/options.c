/* options.c - the load generator's command line. */
#include "tools/loadgen/options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"

static const char *const workload_names[] = {"rfc3164", "rfc5424", "apache", "ndjson",
                                             "short",   "beats",   "file"};

static const char usage[] =
    "usage: loadgen --to HOST:PORT [options]\n"
    "  --udp                 datagrams instead of a TCP stream\n"
    "  --workload NAME       rfc3164 (default), rfc5424, apache, ndjson, short, beats\n"
    "  --file PATH           replay this file's lines, once unless told otherwise\n"
    "  --octet-counted       RFC 6587 octet counting instead of newlines (TCP)\n"
    "  --lumberjack          the Beats protocol, version 2 (workload beats unless told otherwise)\n"
    "  --window N            Lumberjack: events of a window (2000)\n"
    "  --pipelining N        Lumberjack: windows sent before one is acknowledged (2)\n"
    "  --compression LEVEL   Lumberjack: zlib's level, 0: none (3)\n"
    "  --connections N       connections or UDP sockets (1)\n"
    "  --hold                TCP: print connected=N and wait for a line on standard input before\n"
    "                        sending, print sent=N and wait for one before closing\n"
    "  --events N            stop after N lines\n"
    "  --seconds S           stop after S seconds (5 when neither is given)\n"
    "  --rate N              lines a second over all connections (no limit)\n"
    "  --write-size BYTES    whole lines up to this much in a write (131072); 0: a line per write\n"
    "  --batch N             UDP datagrams per system call (64)\n"
    "  --gso N               UDP segmentation offload with N equal lines; needs --pad\n"
    "  --pad BYTES           pad or cut every line to this length\n"
    "  --no-marker           leave seq=NNNNNNNNNNNN out of the lines; Lumberjack windows are then\n"
    "                        made once and sent again and again\n"
    "  --latency             put the time of sending into every line for the sink to read\n"
    "  --first N             number of the first line (0)\n"
    "  --corpus-lines N      different lines prepared in memory (32768; of a file 4194304)\n"
    "  --drain-ms N          wait this long for the peer to take and close (10000)\n"
    "  --seed N              same seed, same lines (1)\n"
    "  --pin CPU             run on this processor\n"
    "Prints a JSON summary.\n";

__attribute__((noreturn)) static void fail(const char *what, const char *value)
{
    fprintf(stderr, "loadgen: %s%s%s\n", what, value == NULL ? "" : ": ",
            value == NULL ? "" : value);
    exit(2);
}

static double number(const char *text, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= most)) fail("not a number", text);
    return value;
}

static void address(const char *text, struct sockaddr_in *out)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host)) fail("HOST:PORT expected", text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)number(colon + 1, 65535));
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &out->sin_addr) !=
        1)
        fail("not an IPv4 address", host);
}

static void workload(const char *name, struct options *opt)
{
    for (uint32_t i = 0; i < WORKLOAD_FILE; i++) {
        if (strcmp(name, workload_names[i]) == 0) {
            opt->workload = (enum workload_kind)i;
            opt->workload_given = true;
            return;
        }
    }
    fail("no such workload", name);
}

enum {
    OPT_TO = 1,
    OPT_UDP,
    OPT_WORKLOAD,
    OPT_FILE,
    OPT_OCTET,
    OPT_LUMBERJACK,
    OPT_WINDOW,
    OPT_PIPELINING,
    OPT_COMPRESSION,
    OPT_LATENCY,
    OPT_HOLD,
    OPT_CONNECTIONS,
    OPT_EVENTS,
    OPT_SECONDS,
    OPT_RATE,
    OPT_WRITE,
    OPT_BATCH,
    OPT_GSO,
    OPT_PAD,
    OPT_NO_MARKER,
    OPT_FIRST,
    OPT_CORPUS,
    OPT_DRAIN,
    OPT_SEED,
    OPT_PIN,
    OPT_HELP
};

static const struct option long_options[] = {{"to", 1, NULL, OPT_TO},
                                             {"udp", 0, NULL, OPT_UDP},
                                             {"workload", 1, NULL, OPT_WORKLOAD},
                                             {"file", 1, NULL, OPT_FILE},
                                             {"octet-counted", 0, NULL, OPT_OCTET},
                                             {"lumberjack", 0, NULL, OPT_LUMBERJACK},
                                             {"hold", 0, NULL, OPT_HOLD},
                                             {"window", 1, NULL, OPT_WINDOW},
                                             {"pipelining", 1, NULL, OPT_PIPELINING},
                                             {"compression", 1, NULL, OPT_COMPRESSION},
                                             {"latency", 0, NULL, OPT_LATENCY},
                                             {"connections", 1, NULL, OPT_CONNECTIONS},
                                             {"events", 1, NULL, OPT_EVENTS},
                                             {"seconds", 1, NULL, OPT_SECONDS},
                                             {"rate", 1, NULL, OPT_RATE},
                                             {"write-size", 1, NULL, OPT_WRITE},
                                             {"batch", 1, NULL, OPT_BATCH},
                                             {"gso", 1, NULL, OPT_GSO},
                                             {"pad", 1, NULL, OPT_PAD},
                                             {"no-marker", 0, NULL, OPT_NO_MARKER},
                                             {"first", 1, NULL, OPT_FIRST},
                                             {"corpus-lines", 1, NULL, OPT_CORPUS},
                                             {"drain-ms", 1, NULL, OPT_DRAIN},
                                             {"seed", 1, NULL, OPT_SEED},
                                             {"pin", 1, NULL, OPT_PIN},
                                             {"help", 0, NULL, OPT_HELP},
                                             {NULL, 0, NULL, 0}};

static void apply(int id, const char *arg, struct options *opt)
{
    switch (id) {
    case OPT_TO: address(arg, &opt->to); break;
    case OPT_UDP: opt->udp = true; break;
    case OPT_WORKLOAD: workload(arg, opt); break;
    case OPT_FILE: opt->workload = WORKLOAD_FILE, opt->file = arg; break;
    case OPT_OCTET: opt->octet_counted = true; break;
    case OPT_LUMBERJACK: opt->lumberjack = true; break;
    case OPT_HOLD: opt->hold = true; break;
    case OPT_WINDOW: opt->window = (uint32_t)number(arg, 100000); break;
    case OPT_PIPELINING: opt->pipelining = (uint32_t)number(arg, 100); break;
    case OPT_COMPRESSION: opt->compression = (int)number(arg, 9); break;
    case OPT_LATENCY: opt->latency = true; break;
    case OPT_CONNECTIONS: opt->connections = (uint32_t)number(arg, 60000); break;
    case OPT_EVENTS: opt->events_max = (uint64_t)number(arg, 1e15); break;
    case OPT_SECONDS: opt->seconds_max = number(arg, 1e6); break;
    case OPT_RATE: opt->rate = number(arg, 1e9); break;
    case OPT_WRITE: opt->write_bytes = (uint32_t)number(arg, 16 << 20); break;
    case OPT_BATCH: opt->batch = (uint32_t)number(arg, 1024); break;
    case OPT_GSO: opt->gso = (uint32_t)number(arg, 64); break;
    case OPT_PAD: opt->pad_bytes = (uint32_t)number(arg, 60000); break;
    case OPT_NO_MARKER: opt->marker = false; break;
    case OPT_FIRST: opt->first = (uint64_t)number(arg, 1e11); break;
    case OPT_CORPUS: opt->corpus_lines = (uint32_t)number(arg, 1 << 22); break;
    case OPT_DRAIN: opt->drain_ms = (uint32_t)number(arg, 1e9); break;
    case OPT_SEED: opt->seed = (uint64_t)number(arg, 1e15); break;
    case OPT_PIN: opt->cpu = (int)number(arg, 4095); break;
    default: fputs(usage, id == OPT_HELP ? stdout : stderr); exit(id == OPT_HELP ? 0 : 2);
    }
}

/* What does not go together. */
static void check(const struct options *opt)
{
    if (opt->to.sin_port == 0) fail("--to HOST:PORT is needed", NULL);
    if (opt->connections == 0) fail("0 makes no load", NULL);
    if (opt->gso > 0 && (!opt->udp || opt->pad_bytes == 0))
        fail("--gso needs --udp and --pad", NULL);
    if (opt->gso * opt->pad_bytes > 65000) fail("--gso times --pad exceeds a datagram", NULL);
    if (opt->octet_counted && opt->udp) fail("--octet-counted is for TCP", NULL);
    if (opt->pad_bytes > 0 && opt->pad_bytes < 128) fail("--pad is at least 128", NULL);
    if (opt->latency && (opt->pad_bytes > 0 || !opt->marker || opt->workload == WORKLOAD_FILE))
        fail("--latency needs markers and whole lines", NULL);
    if (opt->lumberjack &&
        (opt->udp || opt->octet_counted || opt->window == 0 || opt->pipelining == 0))
        fail("--lumberjack is a protocol of its own", NULL);
    if (opt->hold && (opt->udp || opt->lumberjack)) fail("--hold is for lines over TCP", NULL);
    if (opt->lumberjack && opt->workload == WORKLOAD_FILE)
        fail("--lumberjack sends JSON: --workload beats or ndjson", NULL);
}

void options_parse(int argc, char **argv, struct options *opt)
{
    int id;
    *opt = (struct options){.connections = 1,
                            .write_bytes = 131072,
                            .batch = 64,
                            .marker = true,
                            .window = 2000,
                            .pipelining = 2,
                            .compression = 3,
                            .drain_ms = 10000,
                            .seed = 1,
                            .cpu = -1};
    while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1) apply(id, optarg, opt);
    if (optind < argc) fail("unexpected argument", argv[optind]);
    if (opt->lumberjack && !opt->workload_given) opt->workload = WORKLOAD_BEATS;
    check(opt);
    if (opt->events_max == 0 && opt->seconds_max == 0) {
        if (opt->workload == WORKLOAD_FILE)
            opt->once = true;
        else
            opt->seconds_max = 5;
    }
    if (opt->workload == WORKLOAD_FILE) opt->marker = false;
    /* The corpus has to hold a window. */
    if (opt->lumberjack && opt->corpus_lines < 4 * opt->window) opt->corpus_lines = 4 * opt->window;
    if (opt->corpus_lines == 0)
        opt->corpus_lines = opt->workload == WORKLOAD_FILE ? 1 << 22 : 32768;
    if (opt->udp && opt->batch == 0) opt->batch = 1;
    opt->workload_name = workload_names[opt->workload];
}
