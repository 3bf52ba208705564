/*
 * dns_hosts.h - a hosts file (hosts(5)), read once.
 *
 * As Ruby's resolver reads it: of several lines for a name the last one counts, of several names of
 * an address the first. Made on the control thread in the plan's arena, read by any shard.
 */
#ifndef ENGINE_FILTERS_DNS_HOSTS_H
#define ENGINE_FILTERS_DNS_HOSTS_H
#include "engine/base/err.h"
#include "engine/event/map.h"

struct dns_hosts {
    struct map address_of, name_of;
};

/* ERR_SYSTEM with errno. */
err dns_hosts_read(struct dns_hosts *hosts, const char *path, struct arena *arena) MUST_USE;
/* Empty (p is NULL) when the file has none. */
slice dns_hosts_address(const struct dns_hosts *hosts, slice name);
slice dns_hosts_name(const struct dns_hosts *hosts, slice address);

#endif
