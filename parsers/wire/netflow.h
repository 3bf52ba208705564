/*
 * netflow.h - packets of NetFlow 5 and 9 and of IPFIX taken apart.
 *
 * netflow_packet_read checks the whole structure, templates included: after that the iterators
 * cannot fail on it. Nothing is copied; spans point into the packet. Pure: any thread.
 * Formats: Cisco's NetFlow Export Datagram Format, RFC 3954 (version 9), RFC 7011 (IPFIX).
 */
#ifndef PARSERS_WIRE_NETFLOW_H
#define PARSERS_WIRE_NETFLOW_H
#include "engine/base/pages.h"
#include "engine/event/value.h"
#include "parsers/wire/netflow_fields.h"

#define NETFLOW_VARIABLE 65535u /* a field's length in IPFIX: it stands before each value */
#define NETFLOW5_RECORD_BYTES 48u

struct netflow_packet {
    uint16_t version, count, sampling_interval;
    uint8_t engine_type, engine_id, sampling_algorithm;
    uint32_t uptime_ms, unix_sec, unix_nsec, sequence, source; /* source: observation domain */
    slice body; /* records of version 5, sets of the others */
};

/* false when it is none of the three, or broken; out->version is what the first bytes say. */
bool netflow_packet_read(slice in, struct netflow_packet *out);

struct netflow_set {
    uint16_t id; /* below 256: templates */
    slice body;
};
bool netflow_set_next(slice *rest, struct netflow_set *out);
/* Whether it holds templates, and whether they are those of options. */
static inline bool netflow_set_is_template(const struct netflow_set *set)
{
    return set->id < 256;
}

struct netflow_template {
    uint16_t id;
    uint32_t field_n, scope_n; /* all fields; the first scope_n are scopes */
    slice specs;
};
/* The next template of a set's body. */
bool netflow_template_next(uint16_t version, uint16_t set_id, slice *body,
                           struct netflow_template *out);

struct netflow_spec {
    uint16_t number, length;
    uint32_t enterprise; /* 0: a field of the standard */
};
bool netflow_spec_next(uint16_t version, slice *specs, struct netflow_spec *out);

/* Cuts a value of the template's length off the front; false when it is not all there. */
bool netflow_bytes_next(uint16_t length, slice *data, slice *out);
/* An unsigned number of up to 8 bytes (the last 8 of more). */
uint64_t netflow_uint(slice bytes);
/* What the bytes mean, times as plain numbers. Bytes that do not fit the type are a number, or
 * hexadecimal text when they are too many. */
struct value netflow_value(enum netflow_type type, slice bytes, struct arena *arena);

#endif
