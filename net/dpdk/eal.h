/*
 * eal.h - DPDK's environment, made to live inside a process that has threads of its own.
 *
 * It may be initialised once in a process, on the control thread and before shards start. It gets
 * one processor on paper only: affinity is as before afterwards, its workers are none, signals are
 * not touched (its one thread inherits the control thread's mask), nothing is left on disk, and
 * what it has to say goes to our log.
 */
#ifndef NET_DPDK_EAL_H
#define NET_DPDK_EAL_H
#include "net/nic.h"

/* ERR_SYSTEM with a sentence. */
err eal_open(const struct nic_config *config, char why[NIC_WHY_BYTES]) MUST_USE;
void eal_close(void);
/* The part of a device's text that is its name; false when it does not fit. */
bool eal_device_name(const char *device, char *out, size_t cap);

#endif
