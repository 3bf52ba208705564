/*
 * tuning.h - what is made of the machine and the settings: shards, pinning, sizes of buffers.
 *
 * One place decides, engine_start does it and --explain-tuning prints it, so that what is printed
 * is what runs. Control thread.
 */
#ifndef ENGINE_APP_TUNING_H
#define ENGINE_APP_TUNING_H
#include <stdio.h>

#include "engine/app/cpus.h"
#include "engine/base/machine.h"
#include "net/io.h"

struct tuning {
    struct machine machine;
    uint32_t shards;
    const char *shards_why;
    struct cpus cpus; /* n == 0: shards are not pinned */
    const char *cpus_why;
    size_t memory_bytes;
    size_t pool_bytes;          /* batches, a shard */
    struct io_config io_config; /* receive buffers, a shard */
    size_t lanes_bytes;         /* what outputs may hold, all together */
    size_t carry_bytes;         /* on top: frames of more than 64 KB that are not complete */
};

/* ERR_CONFIG after reporting a spate.cpu_affinity that cannot be had. */
err tuning_make(struct tuning *t, const struct process_settings *s, struct diag *diag) MUST_USE;
/* Lets the process have as many files as its hard limit allows: a connection is one, and the usual
 * soft limit of 1,024 is there for programs that use select(). */
void tuning_raise_files(void);
/* What one of `lanes` lanes (outputs of all pipelines times shards) may hold of lanes_bytes. */
size_t tuning_lane_bytes(size_t lanes_bytes, uint64_t lanes);
/* For people. */
void tuning_print(const struct tuning *t, const struct process_settings *s, FILE *out);

#endif
