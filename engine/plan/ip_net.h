/*
 * ip_net.h - addresses and networks as Ruby's IPAddr reads and writes them.
 *
 * "10.0.0.0/8", "10.0.0.0/255.0.0.0", "2001:db8::/32", "[::1]"; a network keeps only the bits its
 * mask has. Pure: any thread. Facts: the documentation of Ruby's ipaddr library.
 */
#ifndef ENGINE_PLAN_IP_NET_H
#define ENGINE_PLAN_IP_NET_H
#include <stdbool.h>

#include "engine/base/pages.h"

struct ip_net {
    unsigned char bytes[16];
    uint8_t size; /* 4 or 16 */
    uint8_t bits; /* of the mask */
};

bool ip_net_parse(slice text, struct ip_net *out);
/* The address's leading bits only; false when there are not that many. */
bool ip_net_mask(struct ip_net *ip, int64_t bits);
/* Whether `inner` lies in `outer`; different families never do. */
bool ip_net_has(const struct ip_net *outer, const struct ip_net *inner);
/* The address without its mask. */
slice ip_net_text(const struct ip_net *ip, struct arena *arena);

#endif
