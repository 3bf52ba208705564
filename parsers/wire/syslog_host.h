/*
 * syslog_host.h - the host part of a syslog line, as Logstash's IPORHOST pattern takes it.
 *
 * Inside parsers/wire. A host is an IPv6 address with an optional zone (which swallows text up to
 * the last space of the message), an IPv4 address, or a host name, in this order of
 * preference; it must end before a space. This is the slow, exact path: syslog.c takes plain host
 * names itself. Any thread, no memory but the stack.
 */
#ifndef PARSERS_WIRE_SYSLOG_HOST_H
#define PARSERS_WIRE_SYSLOG_HOST_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

/* Finds the host that starts at `at`; glued: one or more hosts without a gap, of which the
 * last is *host. text.p[host end] is a space on success. */
bool syslog_host_parse(slice text, uint32_t at, bool glued, slice *host);

#endif
