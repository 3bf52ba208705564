/* eal.c - arguments, log and affinity of rte_eal_init. */
#define _GNU_SOURCE
#include "net/dpdk/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"

#define LOGGER "dpdk"
#define ARGS_MAX 128u

struct args {
    char *at[ARGS_MAX + 1];
    uint32_t n;
};

static FILE *log_stream;
static char last_error[256]; /* what it complained about last */

/* ---- its log is ours ---------------------------------------------------------------------- */

static ssize_t on_log(void *cookie, const char *text, size_t n)
{
    (void)cookie;
    size_t bytes = n;
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r')) bytes--;
    int level = rte_log_cur_msg_loglevel();
    if (bytes == 0) return (ssize_t)n;
    if (level <= (int)RTE_LOG_ERR) {
        snprintf(last_error, sizeof(last_error), "%.*s", (int)bytes, text);
        log_error(LOGGER, "%.*s", (int)bytes, text);
    } else if (level == (int)RTE_LOG_WARNING) {
        log_warn(LOGGER, "%.*s", (int)bytes, text);
    } else {
        log_debug(LOGGER, "%.*s", (int)bytes, text);
    }
    return (ssize_t)n;
}

static void log_take(void)
{
    log_stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = on_log});
    ASSERT(log_stream != NULL);
    setvbuf(log_stream, NULL, _IOLBF, 1024);
    rte_openlog_stream(log_stream);
}

/* ---- arguments ---------------------------------------------------------------------------- */

static void add(struct args *a, const char *text)
{
    if (a->n == ARGS_MAX) return;
    a->at[a->n] = strdup(text);
    ASSERT(a->at[a->n] != NULL);
    a->n++;
}

static void add_words(struct args *a, const char *words)
{
    while (words != NULL && *words != '\0') {
        size_t n = strcspn(words, " \t");
        char word[512];
        if (n > 0 && n < sizeof(word)) {
            memcpy(word, words, n);
            word[n] = '\0';
            add(a, word);
        }
        words += n + strspn(words + n, " \t");
    }
}

/* Devices on a bus have an address with colons; the others are made of software. */
static bool is_on_bus(const char *device)
{
    size_t name = strcspn(device, ",");
    return memchr(device, ':', name) != NULL;
}

bool eal_device_name(const char *device, char *out, size_t cap)
{
    size_t n = strcspn(device, ",");
    if (n == 0 || n >= cap) return false;
    memcpy(out, device, n);
    out[n] = '\0';
    return true;
}

static int first_cpu(const cpu_set_t *set)
{
    int cpu = 0;
    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, set)) cpu++;
    return cpu;
}

static void arguments(const struct nic_config *config, const cpu_set_t *allowed, struct args *a)
{
    char lcores[32];
    bool bus = false, huge = true;
    /* Neither goes with --in-memory. */
    if (config->eal_args != NULL)
        huge = strstr(config->eal_args, "--no-huge") == NULL &&
               strstr(config->eal_args, "--legacy-mem") == NULL;
    snprintf(lcores, sizeof(lcores), "--lcores=0@%d", first_cpu(allowed));
    add(a, "spate");
    add(a, "--no-telemetry");
    add(a, huge ? "--in-memory" : "--no-shconf");
    add(a, lcores);
    for (uint32_t i = 0; i < config->device_n; i++) {
        const char *device = config->device[i].device;
        add(a, is_on_bus(device) ? "-a" : "--vdev");
        add(a, device);
        bus = bus || is_on_bus(device);
    }
    if (!bus) add(a, "--no-pci");
    add_words(a, config->eal_args);
}

err eal_open(const struct nic_config *config, char why[NIC_WHY_BYTES])
{
    cpu_set_t before;
    struct args a = {.n = 0};
    char *order[ARGS_MAX + 1]; /* getopt sorts what it is given */
    CPU_ZERO(&before);
    sched_getaffinity(0, sizeof(before), &before);
    log_take();
    arguments(config, &before, &a);
    memcpy(order, a.at, sizeof(order));
    int result = rte_eal_init((int)a.n, order);
    sched_setaffinity(0, sizeof(before), &before);
    for (uint32_t i = 0; i < a.n; i++) free(a.at[i]);
    if (result >= 0) return ERR_OK;
    snprintf(why, NIC_WHY_BYTES, "DPDK does not start: %s%s%s", rte_strerror(rte_errno),
             last_error[0] == '\0' ? "" : "; ", last_error);
    return ERR_SYSTEM;
}

void eal_close(void)
{
    rte_eal_cleanup();
    rte_openlog_stream(NULL);
    fclose(log_stream);
    log_stream = NULL;
}
