/*
 * main.c - loadgen: makes log traffic of a known shape and number, and says what it sent.
 *
 * Lines are built before the clock starts; while it runs only their numbers and time stamps are
 * written. `loadgen --help` lists the options.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/loadgen/send.h"

static void stop(int signal_number)
{
    (void)signal_number;
    send_stop = true;
}

static void pin(int cpu)
{
    cpu_set_t set;
    if (cpu < 0) return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0) {
        perror("loadgen: --pin");
        exit(1);
    }
}

static void report(const struct options *opt, const struct corpus *c, const struct result *r)
{
    double seconds = (double)(r->sent_ns - r->started_ns) / 1e9;
    double events = (double)(r->events > 0 ? r->events : 1);
    printf(
        "{\"workload\":\"%s\",\"transport\":\"%s\",\"connections\":%u,\"events\":%lu,\"bytes\":%lu,"
        "\"writes\":%lu,\"first\":%lu,\"refused\":%lu,\"lost_connections\":%u,",
        opt->workload_name,
        opt->lumberjack ? "beats"
        : opt->udp      ? "udp"
                        : "tcp",
        opt->connections, r->events, r->bytes, r->writes, opt->first, r->refused, r->lost);
    printf("\"seconds\":%.6f,\"drained_seconds\":%.6f,\"drained\":%s,\"events_per_second\":%.0f,"
           "\"cpu_ns_per_event\":%.2f,\"bytes_per_line\":%.1f}\n",
           seconds, (double)(r->drained_ns - r->started_ns) / 1e9, r->drained ? "true" : "false",
           events / (seconds > 0 ? seconds : 1e-9), (double)r->cpu_ns / events,
           (double)c->text.n / c->lines_n);
}

int main(int argc, char **argv)
{
    struct options opt;
    struct corpus corpus;
    struct result result = {0};
    err e;
    options_parse(argc, argv, &opt);
    pin(opt.cpu);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    corpus_init(&corpus, &opt);
    if (opt.once) opt.events_max = corpus.lines_n;
    if (opt.lumberjack)
        e = send_beats(&corpus, &opt, &result);
    else
        e = opt.udp ? send_udp(&corpus, &opt, &result) : send_tcp(&corpus, &opt, &result);
    if (e != ERR_OK) {
        fprintf(stderr, "loadgen: %s\n", strerror(errno));
        return 1;
    }
    report(&opt, &corpus, &result);
    corpus_fini(&corpus);
    return 0;
}
