/* nic_settings.c - reading dpdk.devices, opening the ports. */
#include "engine/app/nic_settings.h"

#include <stdlib.h>

#include "engine/base/log.h"

err nic_settings_read(const struct process_settings *s, struct nic_config *out, struct diag *diag)
{
    struct config_list devices = process_settings_list(s, "dpdk.devices");
    char why[NIC_WHY_BYTES];
    *out = (struct nic_config){
        .eal_args = process_settings_text(s, "dpdk.eal_args").p,
        .mtu = (uint32_t)process_settings_int(s, "dpdk.mtu"),
        .descriptors = (uint32_t)process_settings_int(s, "dpdk.descriptors"),
        .idle_sleep_ns = process_settings_int(s, "dpdk.idle_sleep"),
    };
    for (uint32_t i = 0; i < devices.n; i++) {
        slice text = devices.at[i].text;
        if (i == NIC_DEVICES_MAX) {
            diag_error(diag, devices.at[i].pos, NULL, "dpdk.devices has more than %u devices",
                       NIC_DEVICES_MAX);
            return ERR_CONFIG;
        }
        if (!nic_device_parse(text, &out->device[out->device_n], why)) {
            diag_error(diag, devices.at[i].pos,
                       "a device and its addresses, as in "
                       "\"0000:3b:00.0 192.0.2.10 2001:db8::10\"",
                       "dpdk.devices: \"%.*s\": %s", SLICE_FMT(text), why);
            return ERR_CONFIG;
        }
        out->device_n++;
    }
    return ERR_OK;
}

void nic_settings_fini(struct nic_config *config)
{
    while (config->device_n > 0) free((char *)(uintptr_t)config->device[--config->device_n].device);
}

err nic_settings_open(const struct process_settings *s, uint32_t shards)
{
    struct nic_config config;
    struct diag diag = DIAG_INIT;
    char why[NIC_WHY_BYTES] = "";
    err e = nic_settings_read(s, &config, &diag);
    diag_print_file(&diag, stderr);
    diag_fini(&diag);
    config.shards = shards;
    if (e == ERR_OK && config.device_n > 0) {
        e = nics_open(nic_backend_dpdk(), &config, why);
        if (e != ERR_OK) log_error("runner", "%s", why);
    }
    nic_settings_fini(&config);
    return e;
}
