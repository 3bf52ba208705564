/* tuning.c - decisions about shards, CPUs and memory. */
#define _GNU_SOURCE
#include "engine/app/tuning.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "engine/app/engine.h"
#include "engine/base/cpu.h"
#include "engine/shard/delivery.h"

/* Less is taken by default where that would be more than half of what there is. */
#define MEMORY_DEFAULT_BYTES ((size_t)1 << 30)

/* Halves the receive buffers until they fit; both rings want powers of two. */
static struct io_config buffers_for(size_t bytes)
{
    struct io_config c = IO_CONFIG_DEFAULT;
    while (c.datagram_buffers > 32 &&
           ((size_t)c.datagram_buffers + c.stream_buffers) * IO_STREAM_BUFFER_BYTES > bytes)
        c.datagram_buffers /= 2;
    while (c.stream_buffers > 8 &&
           ((size_t)c.datagram_buffers + c.stream_buffers) * IO_STREAM_BUFFER_BYTES > bytes)
        c.stream_buffers /= 2;
    return c;
}

static void shards_choose(struct tuning *t, const struct process_settings *s)
{
    int64_t shards = process_settings_int(s, "spate.shards");
    if (process_settings_given(s, "spate.shards")) {
        t->shards_why = "spate.shards";
    } else if (process_settings_given(s, "pipeline.workers")) {
        t->shards_why = "pipeline.workers";
    } else if (t->cpus.n > 0) {
        shards = t->cpus.n;
        t->shards_why = t->cpus.automatic ? "one for each CPU that is not left to writers"
                                          : "one for each CPU of spate.cpu_affinity";
    } else if (t->machine.cpus_usable < t->machine.cpus_allowed) {
        t->shards_why = "one for each CPU that the control group's quota amounts to";
    } else {
        t->shards_why = "one for each CPU that the process may use";
    }
    if (shards > ENGINE_SHARDS_MAX) {
        shards = ENGINE_SHARDS_MAX;
        t->shards_why = "as many as there can be";
    }
    t->shards = (uint32_t)shards;
}

/* Writers, the API and the control thread are never pinned: they run wherever there is room. */
static void pinning_explain(struct tuning *t)
{
    if (t->cpus.n == 0 && t->cpus.automatic)
        t->cpus_why = t->machine.cpus_usable < t->machine.cpus_allowed
                          ? "under a quota a pinned shard waits while other CPUs are idle"
                          : "with less than four CPUs none can be left to the writers of outputs";
    else if (t->cpus.n == 0)
        t->cpus_why = "spate.cpu_affinity is not set, so the system moves shards and writers to "
                      "where there is room";
    else if (t->cpus.n < t->machine.cpus_allowed)
        t->cpus_why = "spate.cpu_affinity; the other CPUs are left to the writers of outputs";
    else
        t->cpus_why = "spate.cpu_affinity; it leaves no CPU to the writers of outputs, which "
                      "compete with the shards";
}

err tuning_make(struct tuning *t, const struct process_settings *s, struct diag *diag)
{
    *t = (struct tuning){0};
    machine_read(&t->machine, "");
    err e = cpus_read(s, &t->machine, &t->cpus, diag);
    if (e != ERR_OK) return e;
    shards_choose(t, s);
    pinning_explain(t);
    t->memory_bytes = (size_t)process_settings_int(s, "spate.memory_bytes");
    t->pool_bytes = t->memory_bytes / 2 / t->shards;
    t->io_config = buffers_for(t->memory_bytes / 4 / t->shards);
    t->lanes_bytes = t->memory_bytes / 4;
    t->carry_bytes = t->memory_bytes / 2;
    return ERR_OK;
}

size_t tuning_lane_bytes(size_t lanes_bytes, uint64_t lanes)
{
    size_t each = lanes_bytes / (lanes == 0 ? 1 : lanes);
    if (each > DELIVERY_BYTES_MAX) each = DELIVERY_BYTES_MAX;
    return each < DELIVERY_SEAL_BYTES ? DELIVERY_SEAL_BYTES : each;
}

/* ---- for people ----------------------------------------------------------------------------- */

static double mb(uint64_t bytes)
{
    return (double)bytes / (1024 * 1024);
}

static void cpus_print(const struct machine *m, FILE *out)
{
    fprintf(out, "CPUs             %u usable: %u online, %u allowed by affinity and cpusets, ",
            m->cpus_usable, m->cpus_online, m->cpus_allowed);
    if (m->cpus_quota > 0)
        fprintf(out, "a quota of %.2f by control groups\n", m->cpus_quota);
    else
        fprintf(out, "no quota by control groups\n");
}

static void pinning_print(const struct tuning *t, FILE *out)
{
    fprintf(out, "pinning          ");
    if (t->cpus.n == 0) fprintf(out, "none");
    for (uint32_t i = 0; i < t->shards && t->cpus.n > 0; i++)
        fprintf(out, "%sshard %u to CPU %d", i == 0 ? "" : ", ", i, t->cpus.at[i % t->cpus.n]);
    fprintf(out, ": %s\n", t->cpus_why);
}

static void memory_print(const struct tuning *t, const struct process_settings *s, FILE *out)
{
    const struct machine *m = &t->machine;
    const struct io_config *io = &t->io_config;
    const char *why = "spate.memory_bytes";
    if (!process_settings_given(s, "spate.memory_bytes"))
        why = t->memory_bytes < MEMORY_DEFAULT_BYTES ? "half of what there is" : "by default";
    fprintf(out, "memory           %.0f MB: %s", mb(t->memory_bytes), why);
    if (m->memory_limit > 0)
        fprintf(out, "; control groups allow %.0f MB\n", mb(m->memory_limit));
    else
        fprintf(out, "; the machine has %.0f MB\n", mb(m->memory_bytes));
    fprintf(out, "batches          %.0f MB a shard: half of the memory among the shards\n",
            mb(t->pool_bytes));
    fprintf(out,
            "receive buffers  %u of 64 KB for streams and %u for datagrams a shard: %.0f MB, as "
            "many as a quarter of the memory holds\n",
            io->stream_buffers, io->datagram_buffers,
            mb(((uint64_t)io->stream_buffers + io->datagram_buffers) * IO_STREAM_BUFFER_BYTES));
    fprintf(out,
            "requests         %.0f MB a shard for one output: a quarter of the memory among the "
            "outputs of all pipelines and their shards, %.0f MB at the most\n",
            mb(tuning_lane_bytes(t->lanes_bytes, t->shards)), mb(DELIVERY_BYTES_MAX));
}

void tuning_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files); /* Refused: it stays as it is, and is printed so. */
}

void tuning_print(const struct tuning *t, const struct process_settings *s, FILE *out)
{
    struct rlimit files = {0};
    char why[200];
    enum cpu_level level = cpu_init();
    cpus_print(&t->machine, out);
    fprintf(out, "shards           %u: %s\n", t->shards, t->shards_why);
    pinning_print(t, out);
    memory_print(t, s, out);
    fprintf(out, "vectors          %s: %s\n", cpu_level_name(level),
            getenv("SPATE_CPU") != NULL ? "the CPU, and SPATE_CPU" : "what the CPU has");
    getrlimit(RLIMIT_NOFILE, &files);
    fprintf(out,
            "open files       %llu: connections and files together, the hard limit (ulimit -Hn, "
            "LimitNOFILE)\n",
            (unsigned long long)files.rlim_cur);
    fprintf(out, "io_uring         %s\n", io_uring_usable(why, sizeof(why)) ? "usable" : why);
}
