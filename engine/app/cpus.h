/*
 * cpus.h - spate.cpu_affinity: which CPUs the shards are pinned to.
 */
#ifndef ENGINE_APP_CPUS_H
#define ENGINE_APP_CPUS_H
#include "engine/config/process_settings.h"

#define CPUS_MAX 1024u

struct cpus {
    int at[CPUS_MAX];
    uint32_t n; /* 0: do not pin */
};

/* Reads [0, 2, 4-7]; ERR_CONFIG after reporting: not a number, or not a CPU that this process may
 * use (taskset, cgroups). */
err cpus_read(const struct process_settings *s, struct cpus *out, struct diag *diag) MUST_USE;

#endif
