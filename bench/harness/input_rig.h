/*
 * input_rig.h - what the event makers of inputs need to run without their sockets.
 *
 * A compiler at a plugin that was given no options, in ECS mode v8, and the lines that loadgen
 * sends. One thread; everything lives as long as the process.
 */
#ifndef BENCH_HARNESS_INPUT_RIG_H
#define BENCH_HARNESS_INPUT_RIG_H
#include "bench/harness/lines.h"
#include "engine/plan/compiler.h"
#include "tools/loadgen/workload.h"

struct input_rig {
    struct page_pool pool;
    struct arena arena;
    struct heap heap;
    struct diag diag;
    struct common_input_cfg common;
    struct compiler compiler;
};

/* Codecs come from `registry`; the input's own is plain. */
void input_rig_init(struct input_rig *rig, const struct registry *registry);

/* n lines of a workload, all of one second; `part` must be in each: NULL for any line. */
void lines_load(struct lines *l, uint32_t n, enum workload_kind kind, const char *part);

#endif
