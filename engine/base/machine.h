/*
 * machine.h - how much of the machine this process may use: CPUs and memory.
 *
 * CPUs: the affinity mask (taskset, cpusets) and the bandwidth limits of control groups; memory:
 * what is installed and the limits of control groups. Read once, at the start; control thread.
 * Nothing fails: what cannot be read limits nothing.
 * Sources: sched_setaffinity(2); Linux Documentation/admin-guide/cgroup-v2.rst (cpu.max,
 * memory.max) and cgroup-v1 (cpu.cfs_quota_us, cpu.cfs_period_us, memory.limit_in_bytes).
 */
#ifndef ENGINE_BASE_MACHINE_H
#define ENGINE_BASE_MACHINE_H
#include <stdint.h>

struct machine {
    uint32_t cpus_online;
    uint32_t cpus_allowed; /* by the affinity mask */
    double cpus_quota;     /* CPU seconds a second; 0: no limit */
    uint32_t cpus_usable;  /* threads that can run at a time: a part of a CPU counts as one */
    uint64_t memory_bytes; /* installed, or what the control groups allow; 0: unknown */
    uint64_t memory_limit; /* of control groups; 0: none */
};

/* `root` stands before /proc and /sys: "", or a folder of files in a test. */
void machine_read(struct machine *m, const char *root);

#endif
