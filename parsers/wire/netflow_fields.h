/*
 * netflow_fields.h - what the fields of NetFlow v9 and IPFIX templates are called and hold.
 *
 * Constant tables, sorted by number. Facts: Cisco's NetFlow v9 field types and RFC 7012 with
 * IANA's registry of IPFIX information elements, by the names of logstash-codec-netflow.
 */
#ifndef PARSERS_WIRE_NETFLOW_FIELDS_H
#define PARSERS_WIRE_NETFLOW_FIELDS_H
#include <stdint.h>

enum netflow_type {
    NETFLOW_UINT, /* as many bytes as the template says */
    NETFLOW_IP4,
    NETFLOW_IP6,
    NETFLOW_MAC,
    NETFLOW_STRING,
    NETFLOW_SKIP,
    NETFLOW_APP_ID, /* "3:80" */
    NETFLOW_ACL_ID, /* three groups of hexadecimal digits */
    NETFLOW_FORWARDING,
    NETFLOW_MPLS,
    NETFLOW_REAL,
    NETFLOW_SWITCHED, /* milliseconds of uptime, shown as a time */
    NETFLOW_SECONDS,  /* shown as times */
    NETFLOW_MILLISECONDS,
    NETFLOW_NTP
};

struct netflow_field {
    uint16_t number;
    uint8_t type;     /* enum netflow_type */
    const char *name; /* NULL: not shown */
};

/* NULL when it is not known. */
const struct netflow_field *netflow_v9_field(uint16_t number);
const struct netflow_field *netflow_ipfix_field(uint16_t number);
/* The scope of an options template of v9; always one. */
const struct netflow_field *netflow_scope_field(uint16_t number);

#endif
