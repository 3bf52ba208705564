/* netflow.c - big-endian, length by length. */
#include "parsers/wire/netflow.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "engine/event/map.h"
#include "parsers/text/utf8_scrub.h"

uint64_t netflow_uint(slice bytes)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes.n; i++) value = value << 8 | (unsigned char)bytes.p[i];
    return value;
}

/* n bytes off the front, which must be there. */
static uint32_t take(slice *rest, uint32_t n)
{
    uint32_t value = (uint32_t)netflow_uint(slice_part(*rest, 0, n));
    *rest = slice_from(*rest, n);
    return value;
}

/* ---- sets and templates ------------------------------------------------------- */

bool netflow_set_next(slice *rest, struct netflow_set *out)
{
    if (rest->n < 4) return false;
    uint32_t length = (uint32_t)netflow_uint(slice_part(*rest, 2, 2));
    if (length <= 4 || length > rest->n) return false;
    out->id = (uint16_t)netflow_uint(slice_part(*rest, 0, 2));
    out->body = slice_part(*rest, 4, length - 4);
    *rest = slice_from(*rest, length);
    return true;
}

bool netflow_spec_next(uint16_t version, slice *specs, struct netflow_spec *out)
{
    if (specs->n < 4) return false;
    out->number = (uint16_t)take(specs, 2);
    out->length = (uint16_t)take(specs, 2);
    out->enterprise = 0;
    if (version == 9 || !(out->number & 0x8000)) return true;
    if (specs->n < 4) return false;
    out->number &= 0x7fff;
    out->enterprise = take(specs, 4);
    return true;
}

/* The heads differ; options of version 9 count bytes, and padding follows the one there is. */
static bool template_head(uint16_t version, uint16_t set_id, slice *body,
                          struct netflow_template *out)
{
    bool options = set_id == 1 || set_id == 3;
    if (body->n < (options ? 6 : 4)) return false;
    out->id = (uint16_t)take(body, 2);
    out->field_n = take(body, 2);
    out->scope_n = 0;
    if (!options) return true;
    uint32_t second = take(body, 2);
    if (version == 9) {
        out->scope_n = out->field_n / 4;
        out->field_n = out->scope_n + second / 4;
        return out->scope_n > 0 && second > 0;
    }
    out->scope_n = second;
    return second > 0 && second <= out->field_n;
}

bool netflow_template_next(uint16_t version, uint16_t set_id, slice *body,
                           struct netflow_template *out)
{
    if (body->n < 4 || !template_head(version, set_id, body, out)) return false;
    slice rest = *body;
    struct netflow_spec spec;
    for (uint32_t i = 0; i < out->field_n; i++)
        if (!netflow_spec_next(version, &rest, &spec)) return false;
    out->specs = slice_part(*body, 0, body->n - rest.n);
    *body = version == 9 && set_id == 1 ? slice_from(rest, rest.n) : rest;
    return true;
}

static bool set_valid(uint16_t version, const struct netflow_set *set)
{
    if (set->id >= 256) return true;
    uint16_t first = version == 9 ? 0 : 2;
    if (set->id != first && set->id != first + 1) return false;
    slice body = set->body;
    struct netflow_template template;
    while (body.n >= 4)
        if (!netflow_template_next(version, set->id, &body, &template)) return false;
    return true; /* Fewer bytes than a template's head are padding. */
}

static bool sets_valid(const struct netflow_packet *p)
{
    slice rest = p->body;
    struct netflow_set set;
    while (rest.n > 0)
        if (!netflow_set_next(&rest, &set) || !set_valid(p->version, &set)) return false;
    return true;
}

/* ---- packets ------------------------------------------------------------------ */

static bool read_5(slice in, struct netflow_packet *out)
{
    if (in.n < 22) return false;
    out->count = (uint16_t)take(&in, 2);
    out->uptime_ms = take(&in, 4);
    out->unix_sec = take(&in, 4);
    out->unix_nsec = take(&in, 4);
    out->sequence = take(&in, 4);
    out->engine_type = (uint8_t)take(&in, 1);
    out->engine_id = (uint8_t)take(&in, 1);
    uint32_t sampling = take(&in, 2);
    out->sampling_algorithm = (uint8_t)(sampling >> 14);
    out->sampling_interval = sampling & 0x3fff;
    out->body = slice_part(in, 0, out->count * NETFLOW5_RECORD_BYTES);
    return out->count >= 1 && out->count <= 30 && in.n >= out->count * NETFLOW5_RECORD_BYTES;
}

static bool read_9(slice in, struct netflow_packet *out)
{
    if (in.n < 18) return false;
    out->count = (uint16_t)take(&in, 2);
    out->uptime_ms = take(&in, 4);
    out->unix_sec = take(&in, 4);
    out->sequence = take(&in, 4);
    out->source = take(&in, 4);
    out->body = in;
    return sets_valid(out);
}

static bool read_ipfix(slice in, struct netflow_packet *out)
{
    if (in.n < 14) return false;
    uint32_t length = take(&in, 2);
    out->unix_sec = take(&in, 4);
    out->sequence = take(&in, 4);
    out->source = take(&in, 4);
    if (length < 16 || length - 16 > in.n) return false;
    out->body = slice_part(in, 0, length - 16);
    return sets_valid(out);
}

bool netflow_packet_read(slice in, struct netflow_packet *out)
{
    *out = (struct netflow_packet){0};
    if (in.n < 2) return false;
    out->version = (uint16_t)take(&in, 2);
    switch (out->version) {
    case 5: return read_5(in, out);
    case 9: return read_9(in, out);
    case 10: return read_ipfix(in, out);
    default: return false;
    }
}

/* ---- values ------------------------------------------------------------------- */

bool netflow_bytes_next(uint16_t length, slice *data, slice *out)
{
    uint32_t n = length;
    if (length == NETFLOW_VARIABLE) {
        if (data->n < 1) return false;
        slice rest = *data;
        n = take(&rest, 1);
        if (n == 255) {
            if (rest.n < 2) return false;
            n = take(&rest, 2);
        }
        if (n > rest.n) return false;
        *data = rest;
    }
    if (n > data->n) return false;
    *out = slice_part(*data, 0, n);
    *data = slice_from(*data, n);
    return true;
}

static struct value hex_value(slice bytes, uint32_t group, char separator, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(arena, (size_t)bytes.n * 3 + 1, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < bytes.n; i++) {
        if (group > 0 && i > 0 && i % group == 0) out[n++] = separator;
        out[n++] = digits[(unsigned char)bytes.p[i] >> 4];
        out[n++] = digits[(unsigned char)bytes.p[i] & 15];
    }
    return value_clean(slice_make(out, n));
}

static struct value uint_value(slice bytes, struct arena *arena)
{
    if (bytes.n > 16) return hex_value(bytes, 0, 0, arena);
    unsigned __int128 num = 0;
    for (uint32_t i = 0; i < bytes.n; i++) num = num << 8 | (unsigned char)bytes.p[i];
    if (num <= INT64_MAX) return value_int((int64_t)num);
    char text[40];
    uint32_t at = sizeof(text);
    for (; num > 0; num /= 10) text[--at] = (char)('0' + (int)(num % 10));
    struct value val = value_string(arena_copy(arena, slice_make(text + at, sizeof(text) - at)));
    val.type = VALUE_BIGNUM;
    return val;
}

static struct value ip_value(int family, slice bytes, struct arena *arena)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(family, bytes.p, text, sizeof(text));
    return value_clean(arena_copy(arena, slice_from_cstr(text)));
}

static struct value string_value(slice bytes, struct arena *arena)
{
    while (bytes.n > 0 && bytes.p[bytes.n - 1] == 0) bytes.n--;
    return value_string(utf8_scrub(arena_copy(arena, bytes), arena));
}

static struct value app_id_value(slice bytes, struct arena *arena)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%u:%llu", (unsigned char)bytes.p[0],
                     (unsigned long long)netflow_uint(slice_from(bytes, 1)));
    return value_clean(arena_copy(arena, slice_make(text, (size_t)n)));
}

static void put(struct map *map, struct arena *arena, const char *name, uint32_t num)
{
    map_put(map, arena, key_borrow(slice_from_cstr(name)), value_int(num));
}

static struct value bits_value(enum netflow_type type, slice bytes, struct arena *arena)
{
    uint32_t bits = (uint32_t)netflow_uint(bytes);
    struct map *map = map_new(arena);
    if (type == NETFLOW_FORWARDING) {
        put(map, arena, "status", bits >> 6);
        put(map, arena, "reason", bits & 63);
    } else {
        put(map, arena, "label", bits >> 12);
        put(map, arena, "experimental", bits >> 9 & 7);
        put(map, arena, "bottom_of_stack", bits >> 8 & 1);
        put(map, arena, "ttl", bits & 255);
    }
    return value_map(map);
}

static struct value real_value(slice bytes)
{
    uint64_t bits = netflow_uint(bytes);
    uint32_t half = (uint32_t)bits;
    float single;
    double real;
    memcpy(&single, &half, 4);
    memcpy(&real, &bits, 8);
    return value_float(bytes.n == 4 ? (double)single : real);
}

struct value netflow_value(enum netflow_type type, slice bytes, struct arena *arena)
{
    switch (type) {
    case NETFLOW_IP4:
        if (bytes.n == 4) return ip_value(AF_INET, bytes, arena);
        break;
    case NETFLOW_IP6:
        if (bytes.n == 16) return ip_value(AF_INET6, bytes, arena);
        break;
    case NETFLOW_MAC: return hex_value(bytes, 1, ':', arena);
    case NETFLOW_ACL_ID: return hex_value(bytes, 4, '-', arena);
    case NETFLOW_STRING: return string_value(bytes, arena);
    case NETFLOW_APP_ID:
        if (bytes.n >= 2 && bytes.n <= 9) return app_id_value(bytes, arena);
        break;
    case NETFLOW_FORWARDING:
        if (bytes.n == 1) return bits_value(type, bytes, arena);
        break;
    case NETFLOW_MPLS:
        if (bytes.n == 4) return bits_value(type, bytes, arena);
        break;
    case NETFLOW_REAL:
        if (bytes.n == 4 || bytes.n == 8) return real_value(bytes);
        break;
    default: break;
    }
    return uint_value(bytes, arena);
}
