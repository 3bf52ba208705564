/*
 * cpus.h - spate.cpu_affinity: which CPUs the shards are pinned to.
 */
#ifndef ENGINE_APP_CPUS_H
#define ENGINE_APP_CPUS_H
#include "engine/base/machine.h"
#include "engine/config/process_settings.h"

#define CPUS_MAX 1024u

struct cpus {
    int at[CPUS_MAX];
    uint32_t n;     /* 0: do not pin */
    bool automatic; /* chosen here: spate.cpu_affinity is auto */
};

/* Reads [0, 2, 4-7] or auto; ERR_CONFIG after reporting: not a number, or not a CPU that this
 * process may use (taskset, cgroups). */
err cpus_read(const struct process_settings *s, const struct machine *m, struct cpus *out,
              struct diag *diag) MUST_USE;

/* auto: the first three quarters of the CPUs allowed; the others are left to the writers of
 * outputs. None with less than four of them, or under a quota: then a pinned shard would wait for
 * its CPU, or for its share, while another CPU has nothing to do. */
void cpus_choose(const struct machine *m, const int *allowed, uint32_t n, struct cpus *out);

#endif
