/* cpus.c - lists and ranges of CPU numbers. */
#define _GNU_SOURCE
#include "engine/app/cpus.h"

#include <sched.h>

static bool range_read(slice text, int64_t *first, int64_t *last)
{
    int64_t dash = slice_find_byte(text, '-');
    slice head = dash < 0 ? text : slice_part(text, 0, (uint32_t)dash);
    slice tail = dash < 0 ? text : slice_from(text, (uint32_t)dash + 1);
    return slice_to_i64(slice_trim(head), first) && slice_to_i64(slice_trim(tail), last) &&
           *first >= 0 && *first <= *last && *last < (int64_t)CPUS_MAX;
}

void cpus_choose(const struct machine *m, const int *allowed, uint32_t n, struct cpus *out)
{
    *out = (struct cpus){.automatic = true};
    if (n < 4 || m->cpus_usable < m->cpus_allowed) return;
    for (uint32_t i = 0; i < n - (n + 3) / 4; i++) out->at[out->n++] = allowed[i];
}

static void choose(const struct machine *m, const cpu_set_t *allowed, struct cpus *out)
{
    int list[CPUS_MAX];
    uint32_t n = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && n < CPUS_MAX; cpu++)
        if (CPU_ISSET(cpu, allowed)) list[n++] = cpu;
    cpus_choose(m, list, n, out);
}

err cpus_read(const struct process_settings *s, const struct machine *m, struct cpus *out,
              struct diag *diag)
{
    *out = (struct cpus){0};
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    bool known = sched_getaffinity(0, sizeof(allowed), &allowed) == 0;
    struct config_list list = process_settings_list(s, "spate.cpu_affinity");
    if (list.n == 1 && slice_equal(list.at[0].text, SLICE("auto"))) {
        choose(m, &allowed, out);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < list.n; i++) {
        int64_t first, last;
        if (!range_read(list.at[i].text, &first, &last)) {
            diag_error(diag, list.at[i].pos, "CPU numbers and ranges, e.g. [0, 1, 4-7], or auto",
                       "Setting \"spate.cpu_affinity\" has an invalid value \"%.*s\"",
                       SLICE_FMT(list.at[i].text));
            return ERR_CONFIG;
        }
        for (int64_t cpu = first; cpu <= last && out->n < CPUS_MAX; cpu++) {
            if (known && !CPU_ISSET((int)cpu, &allowed)) {
                diag_error(diag, list.at[i].pos, NULL,
                           "spate.cpu_affinity: this process may not run on CPU %lld",
                           (long long)cpu);
                return ERR_CONFIG;
            }
            out->at[out->n++] = (int)cpu;
        }
    }
    return ERR_OK;
}
