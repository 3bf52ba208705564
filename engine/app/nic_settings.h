/*
 * nic_settings.h - dpdk.* settings to the process's interfaces (net/nic.h). Control thread.
 */
#ifndef ENGINE_APP_NIC_SETTINGS_H
#define ENGINE_APP_NIC_SETTINGS_H
#include "engine/config/process_settings.h"
#include "net/nic.h"

/* ERR_CONFIG after reporting what is wrong with dpdk.devices. */
err nic_settings_read(const struct process_settings *s, struct nic_config *out,
                      struct diag *diag) MUST_USE;
void nic_settings_fini(struct nic_config *config);
/* Opens what dpdk.devices names, for so many shards; nothing when it names none. Before threads
 * start; ERR_SYSTEM after a log line. nics_close() undoes it. */
err nic_settings_open(const struct process_settings *s, uint32_t shards) MUST_USE;

#endif
