/*
 * geoip_record.h - what a database says about an address, as fields.
 *
 * The facts are those of Logstash's geoip filter: which fields a kind of database has, which of
 * them are set when nobody chooses, what they are called with and without ECS names. Addresses are
 * read and written as Java does. Pure: any thread.
 */
#ifndef ENGINE_FILTERS_GEOIP_RECORD_H
#define ENGINE_FILTERS_GEOIP_RECORD_H
#include "engine/event/map.h"
#include "engine/plan/mmdb_file.h"

enum geoip_kind {
    GEOIP_CITY,
    GEOIP_COUNTRY,
    GEOIP_DOMAIN,
    GEOIP_ASN,
    GEOIP_ISP,
    GEOIP_ENTERPRISE,
    GEOIP_ANONYMOUS,
    GEOIP_CONNECTION,
    GEOIP_CUSTOM /* every field that its records have */
};

struct geoip_address {
    unsigned char bytes[16];
    uint8_t size; /* 4 or 16 */
};

/* One to four decimal numbers, or IPv6 with or without brackets; mapped IPv4 is IPv4. Names are
 * not resolved. */
bool geoip_address_parse(slice text, struct geoip_address *out);

enum geoip_kind geoip_kind_of(slice database_type);
/* Bit of a field's name as `fields` has it, any case; 0 when there is none of that name. */
uint32_t geoip_field_bit(slice name);
/* All names, separated by commas. */
void geoip_field_names(struct buf *out);

struct geoip_question {
    const MMDB_s *db;
    enum geoip_kind kind;
    uint32_t wanted; /* bits of fields */
    bool ecs;
};
/* `chosen` fields, 0: those of the database's kind. */
struct geoip_question geoip_question_make(const struct mmdb *db, uint32_t chosen, bool ecs);

/* The fields of an address as a map, empty when there is nothing to say; to be copied before it is
 * kept (subtree_make). */
struct map *geoip_record(const struct geoip_question *q, const struct geoip_address *address,
                         struct arena *arena);

#endif
