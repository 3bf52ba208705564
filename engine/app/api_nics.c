/* api_nics.c - what became of the frames of dpdk.devices, for /_node/stats and /metrics. */
#include "engine/app/api.h"

struct device_number {
    const char *name, *reason; /* of the JSON answer, and of a drop in /metrics */
    size_t offset;             /* in struct nic_device_stats */
};

static const struct device_number drops[] = {
    {"missed", "no free descriptor", offsetof(struct nic_device_stats, missed)},
    {"errors", "damaged", offsetof(struct nic_device_stats, errors)},
    {"no_buffer", "no memory", offsetof(struct nic_device_stats, no_buffer)},
};

static uint64_t drop_read(const struct nic_device_stats *stats, uint32_t i)
{
    return *(const uint64_t *)(const void *)((const char *)stats + drops[i].offset);
}

static uint64_t count_sum(const struct engine *engine, uint32_t device, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < engine->shard_n; i++)
        sum += counter_read(&engine->shard[i].nic->count[device][count]);
    return sum;
}

/* ---- /_node/stats ------------------------------------------------------------------------- */

static void device_json(struct json_out *j, const struct engine *engine, uint32_t device)
{
    const struct nic_device *d = &nics_get()->device[device];
    struct nic_device_stats stats;
    char mac[18];
    nics_get()->backend->stats(device, &stats);
    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", d->mac[0], d->mac[1], d->mac[2],
             d->mac[3], d->mac[4], d->mac[5]);
    json_open(j, NULL);
    json_cstr(j, "name", d->name);
    json_cstr(j, "address", mac);
    json_cstr(j, "link", stats.link_up ? "up" : "down");
    json_int(j, "queues", d->queue_n);
    json_bool(j, "spreads", d->spreads);
    json_bool(j, "checks_ip", d->checks_ip);
    json_bool(j, "checks_udp", d->checks_udp);
    json_int(j, "frames", (int64_t)stats.frames);
    json_int(j, "bytes", (int64_t)stats.bytes);
    json_open(j, "dropped");
    for (uint32_t i = 0; i < ARRAY_LEN(drops); i++)
        json_int(j, drops[i].name, (int64_t)drop_read(&stats, i));
    json_close(j);
    json_open(j, "taken");
    for (uint32_t i = 0; i < NIC_COUNTS; i++)
        json_int(j, nic_count_name(i), (int64_t)count_sum(engine, device, i));
    json_close(j);
    json_close(j);
}

void api_nics(struct json_out *j, const struct engine *engine)
{
    const struct nics *nics = nics_get();
    if (nics == NULL) return;
    json_open(j, "dpdk");
    json_array(j, "devices");
    for (uint32_t i = 0; i < nics->device_n; i++) device_json(j, engine, i);
    json_array_end(j);
    json_close(j);
}

/* ---- /metrics ----------------------------------------------------------------------------- */

static void device_metric(struct buf *out, const char *name, const char *type, const char *help,
                          uint64_t (*read)(const struct nic_device_stats *stats))
{
    const struct nics *nics = nics_get();
    struct nic_device_stats stats;
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
    for (uint32_t i = 0; i < nics->device_n; i++) {
        nics->backend->stats(i, &stats);
        buf_printf(out, "%s{device=\"%s\"} %llu\n", name, nics->device[i].name,
                   (unsigned long long)read(&stats));
    }
}

static uint64_t read_frames(const struct nic_device_stats *stats)
{
    return stats->frames;
}
static uint64_t read_bytes(const struct nic_device_stats *stats)
{
    return stats->bytes;
}
static uint64_t read_link(const struct nic_device_stats *stats)
{
    return stats->link_up;
}

static void drops_metric(struct buf *out)
{
    static const char name[] = "spate_dpdk_dropped_total";
    const struct nics *nics = nics_get();
    struct nic_device_stats stats;
    buf_printf(out, "# HELP %s Frames that a port dropped.\n# TYPE %s counter\n", name, name);
    for (uint32_t i = 0; i < nics->device_n; i++) {
        nics->backend->stats(i, &stats);
        for (uint32_t k = 0; k < ARRAY_LEN(drops); k++)
            buf_printf(out, "%s{device=\"%s\",reason=\"%s\"} %llu\n", name, nics->device[i].name,
                       drops[k].reason, (unsigned long long)drop_read(&stats, k));
    }
}

static void taken_metric(struct buf *out, const struct engine *engine)
{
    static const char name[] = "spate_dpdk_taken_total";
    const struct nics *nics = nics_get();
    buf_printf(out,
               "# HELP %s Frames taken from a port, by what became of them.\n# TYPE %s counter\n",
               name, name);
    for (uint32_t i = 0; i < nics->device_n; i++)
        for (uint32_t k = 0; k < NIC_COUNTS; k++)
            buf_printf(out, "%s{device=\"%s\",what=\"%s\"} %llu\n", name, nics->device[i].name,
                       nic_count_name(k), (unsigned long long)count_sum(engine, i, k));
}

void api_nics_metrics(struct buf *out, const struct engine *engine)
{
    if (nics_get() == NULL) return;
    device_metric(out, "spate_dpdk_frames_total", "counter", "Frames that a port received.",
                  read_frames);
    device_metric(out, "spate_dpdk_bytes_total", "counter", "Bytes of those frames.", read_bytes);
    device_metric(out, "spate_dpdk_link_up", "gauge", "Whether a port's link is up.", read_link);
    drops_metric(out);
    taken_metric(out, engine);
}
