/* geoip_record.c - fields of database records. */
#include "engine/filters/geoip_record.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "engine/base/number.h"
#include "engine/base/utf8.h"
#include "parsers/wire/mmdb_data.h"

/* ---- addresses -------------------------------------------------------------------------- */

/* "a.b.c.d", where the last of fewer numbers fills the rest (java.net.InetAddress). */
static bool ipv4_parse(slice text, unsigned char out[4])
{
    uint64_t number = 0;
    uint32_t parts = 0;
    bool digits = false;
    if (text.n == 0 || text.n > 15) return false;
    memset(out, 0, 4);
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '.') {
            if (!digits || number > 255 || parts == 3) return false;
            out[parts++] = (unsigned char)number;
            number = 0;
            digits = false;
            continue;
        }
        if (c < '0' || c > '9') return false;
        number = number * 10 + (uint64_t)(c - '0');
        digits = true;
    }
    if (!digits || number >= 1ULL << (8 * (4 - parts))) return false;
    for (uint32_t i = 3; i > parts; i--, number >>= 8) out[i] = (unsigned char)number;
    out[parts] = (unsigned char)number;
    return true;
}

bool geoip_address_parse(slice text, struct geoip_address *out)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char cstr[INET6_ADDRSTRLEN + 2];
    out->size = 4;
    if (ipv4_parse(text, out->bytes)) return true;
    if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
        text = slice_part(text, 1, text.n - 2);
    if (text.n >= sizeof(cstr) || memchr(text.p, '\0', text.n) != NULL) return false;
    out->size = 16;
    if (inet_pton(AF_INET6, slice_cstr(text, cstr, sizeof(cstr)), out->bytes) != 1) return false;
    if (memcmp(out->bytes, mapped, sizeof(mapped)) != 0) return true;
    memmove(out->bytes, out->bytes + 12, 4);
    out->size = 4;
    return true;
}

/* Java's text of an address: all eight groups of IPv6, without leading zeros. */
static slice address_text(const unsigned char *bytes, uint32_t size, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    char text[64];
    uint32_t n = 0;
    for (uint32_t i = 0; size == 4 && i < 4; i++) {
        if (i > 0) text[n++] = '.';
        n += number_i64_text(bytes[i], text + n);
    }
    for (uint32_t i = 0; size == 16 && i < 16; i += 2) {
        uint32_t group = (uint32_t)bytes[i] << 8 | bytes[i + 1];
        if (i > 0) text[n++] = ':';
        for (uint32_t shift = 16; shift > 0; shift -= 4)
            if (shift == 4 || group >> (shift - 4) != 0)
                text[n++] = digits[group >> (shift - 4) & 15];
    }
    return arena_copy(arena, slice_make(text, n));
}

static slice network_text(const struct geoip_address *address, uint32_t bits, struct arena *arena)
{
    unsigned char bytes[16];
    char text[8];
    memcpy(bytes, address->bytes, sizeof(bytes));
    for (uint32_t i = bits; i < address->size * 8u; i++)
        bytes[i / 8] &= (unsigned char)~(0x80u >> i % 8);
    int n = snprintf(text, sizeof(text), "/%u", bits);
    return arena_join(arena, address_text(bytes, address->size, arena),
                      slice_make(text, (size_t)n));
}

/* ---- the fields ------------------------------------------------------------------------- */

enum source { TEXT, NUMBER, REAL, FLAG, ADDRESS, NETWORK, REGION, PLACE, NOWHERE };

#define BIT(kind) (1u << GEOIP_##kind)
#define LAND (BIT(CITY) | BIT(COUNTRY) | BIT(ENTERPRISE))
#define TOWN (BIT(CITY) | BIT(ENTERPRISE))
#define SYSTEM (BIT(ASN) | BIT(ISP) | BIT(ENTERPRISE))
#define HIDDEN (BIT(ANONYMOUS) | BIT(ENTERPRISE))

struct field {
    const char *name;   /* for `fields` */
    const char *legacy; /* the field's name */
    const char *ecs;    /* its path, dots between; "": none */
    const char *path[5];
    enum source source;
    uint32_t kinds, standard; /* of databases: those that have it, those that set it unasked */
};

#define COUNTRY_STANDARD (BIT(CITY) | BIT(COUNTRY) | BIT(ENTERPRISE))
#define IP_KINDS (~0u & ~BIT(DOMAIN))
#define IP_STANDARD (~0u & ~BIT(DOMAIN) & ~BIT(ANONYMOUS))

/* clang-format off */
static const struct field fields[] = {
    {"autonomous_system_number", "asn", "as.number",
     {"autonomous_system_number"}, NUMBER, SYSTEM, BIT(ASN) | BIT(ISP)},
    {"autonomous_system_organization", "as_org", "as.organization.name",
     {"autonomous_system_organization"}, TEXT, SYSTEM, BIT(ASN) | BIT(ISP)},
    {"city_name", "city_name", "geo.city_name", {"city", "names", "en"}, TEXT, TOWN, TOWN},
    {"country_name", "country_name", "geo.country_name",
     {"country", "names", "en"}, TEXT, LAND, COUNTRY_STANDARD},
    {"continent_code", "continent_code", "geo.continent_code",
     {"continent", "code"}, TEXT, BIT(CITY), BIT(CITY)},
    {"continent_name", "continent_name", "geo.continent_name",
     {"continent", "names", "en"}, TEXT, LAND, BIT(COUNTRY) | BIT(ENTERPRISE)},
    {"country_code2", "country_code2", "geo.country_iso_code",
     {"country", "iso_code"}, TEXT, LAND, COUNTRY_STANDARD},
    {"country_code3", "country_code3", "", {"country", "iso_code"}, TEXT, BIT(CITY), BIT(CITY)},
    {"domain", "domain", "domain", {"domain"}, TEXT, BIT(DOMAIN), BIT(DOMAIN)},
    {"ip", "ip", "ip", {NULL}, ADDRESS, IP_KINDS, IP_STANDARD},
    {"isp", "isp", "mmdb.isp", {"isp"}, TEXT, BIT(ISP), BIT(ISP)},
    {"postal_code", "postal_code", "geo.postal_code",
     {"postal", "code"}, TEXT, BIT(CITY), BIT(CITY)},
    {"dma_code", "dma_code", "mmdb.dma_code", {NULL}, NOWHERE, 0, 0},
    {"region_name", "region_name", "geo.region_name",
     {"subdivisions", "-1", "names", "en"}, TEXT, TOWN, TOWN},
    {"region_code", "region_code", "geo.region_code",
     {"subdivisions", "-1", "iso_code"}, TEXT, BIT(CITY), BIT(CITY)},
    {"region_iso_code", "region_iso_code", "geo.region_iso_code", {NULL}, REGION, TOWN, TOWN},
    {"timezone", "timezone", "geo.timezone", {"location", "time_zone"}, TEXT, TOWN, BIT(CITY)},
    {"location", "location", "geo.location", {NULL}, PLACE, TOWN, TOWN},
    {"latitude", "latitude", "geo.location.lat",
     {"location", "latitude"}, REAL, BIT(CITY), BIT(CITY)},
    {"longitude", "longitude", "geo.location.lon",
     {"location", "longitude"}, REAL, BIT(CITY), BIT(CITY)},
    {"organization", "organization", "mmdb.organization",
     {"organization"}, TEXT, BIT(ISP), BIT(ISP)},
    {"network", "network", "ip_traits.network", {NULL}, NETWORK, BIT(ASN) | BIT(ENTERPRISE), 0},
    {"hosting_provider", "hosting_provider", "ip_traits.hosting_provider",
     {"is_hosting_provider"}, FLAG, HIDDEN, BIT(ANONYMOUS)},
    {"tor_exit_node", "tor_exit_node", "ip_traits.tor_exit_node",
     {"is_tor_exit_node"}, FLAG, HIDDEN, BIT(ANONYMOUS)},
    {"anonymous_vpn", "anonymous_vpn", "ip_traits.anonymous_vpn",
     {"is_anonymous_vpn"}, FLAG, HIDDEN, BIT(ANONYMOUS)},
    {"anonymous", "anonymous", "ip_traits.anonymous",
     {"is_anonymous"}, FLAG, HIDDEN, BIT(ANONYMOUS)},
    {"public_proxy", "public_proxy", "ip_traits.public_proxy",
     {"is_public_proxy"}, FLAG, HIDDEN, BIT(ANONYMOUS)},
    {"residential_proxy", "residential_proxy", "ip_traits.residential_proxy",
     {"is_residential_proxy"}, FLAG, HIDDEN, BIT(ANONYMOUS)},
    {"connection_type", "connection_type", "mmdb.connection_type",
     {"connection_type"}, TEXT, BIT(CONNECTION), BIT(CONNECTION)},
};
/* clang-format on */

#define FIELD_N (sizeof(fields) / sizeof(fields[0]))
_Static_assert(FIELD_N <= 32, "a field is a bit");

enum geoip_kind geoip_kind_of(slice database_type)
{
    static const struct {
        const char *part;
        enum geoip_kind kind;
    } kinds[] = {{"City", GEOIP_CITY},
                 {"Country", GEOIP_COUNTRY},
                 {"GeoIP2-Domain", GEOIP_DOMAIN},
                 {"GeoLite2-ASN", GEOIP_ASN},
                 {"GeoIP2-ISP", GEOIP_ISP},
                 {"Enterprise", GEOIP_ENTERPRISE},
                 {"GeoIP2-Anonymous-IP", GEOIP_ANONYMOUS},
                 {"GeoIP2-Connection-Type", GEOIP_CONNECTION}};
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (slice_find(database_type, slice_from_cstr(kinds[i].part)) >= 0) return kinds[i].kind;
    return GEOIP_CUSTOM;
}

uint32_t geoip_field_bit(slice name)
{
    for (uint32_t i = 0; i < FIELD_N; i++)
        if (slice_equal_nocase(name, slice_from_cstr(fields[i].name))) return 1u << i;
    return 0;
}

void geoip_field_names(struct buf *out)
{
    for (uint32_t i = 0; i < FIELD_N; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", fields[i].name);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Members of a record that are remembered; one more is not found, and no database has as many. */
#define MEMBERS_MAX 32u

struct reading {
    const struct geoip_question *q;
    const struct geoip_address *address;
    MMDB_lookup_result_s found;
    slice data; /* the database's values */
    struct {
        slice name;
        uint32_t at;
    } member[MEMBERS_MAX]; /* of the record */
    uint32_t member_n;
    struct arena *arena;
    struct map *out;
};

static void members_find(struct reading *r)
{
    struct mmdb_item record, key;
    if (!mmdb_item_read(r->data, r->found.entry.offset, &record) || record.type != MMDB_MAP) return;
    uint32_t at = record.at;
    for (uint32_t i = 0; i < record.size && r->member_n < MEMBERS_MAX; i++) {
        if (!mmdb_item_read(r->data, at, &key) || key.type != MMDB_TEXT) return;
        r->member[r->member_n].name = mmdb_item_text(r->data, &key);
        r->member[r->member_n++].at = key.behind;
        at = key.behind;
        if (!mmdb_item_skip(r->data, &at)) return;
    }
}

static bool data_at(struct reading *r, const char *const *path, struct mmdb_item *out)
{
    slice first = slice_from_cstr(path[0]);
    uint32_t i = 0;
    while (i < r->member_n && !slice_equal(r->member[i].name, first)) i++;
    if (i == r->member_n || !mmdb_item_read(r->data, r->member[i].at, out)) return false;
    for (path++; *path != NULL; path++) {
        struct mmdb_item in = *out;
        bool last = strcmp(*path, "-1") == 0;
        if (last && !mmdb_item_last(r->data, &in, out)) return false;
        if (!last && !mmdb_item_member(r->data, &in, slice_from_cstr(*path), out)) return false;
    }
    return true;
}

static bool text_at(struct reading *r, const char *const *path, slice *out)
{
    struct mmdb_item item;
    if (!data_at(r, path, &item) || item.type != MMDB_TEXT) return false;
    slice text = mmdb_item_text(r->data, &item);
    if (!utf8_valid(text)) return false;
    *out = arena_copy(r->arena, text);
    return true;
}

static bool real_at(struct reading *r, const char *const *path, struct value *out)
{
    struct mmdb_item item;
    if (!data_at(r, path, &item)) return false;
    if (item.type != MMDB_DOUBLE && item.type != MMDB_FLOAT) return false;
    *out = value_float(mmdb_item_real(r->data, &item));
    return true;
}

static bool number_at(struct reading *r, const char *const *path, struct value *out)
{
    struct mmdb_item item;
    if (!data_at(r, path, &item)) return false;
    uint64_t num = mmdb_item_uint(r->data, &item);
    *out = item.type == MMDB_INT32 ? value_int((int32_t)(uint32_t)num) : value_int((int64_t)num);
    return item.type == MMDB_UINT16 || item.type == MMDB_UINT32 || item.type == MMDB_INT32 ||
           (item.type == MMDB_UINT64 && num <= INT64_MAX);
}

/* What is not marked is not, except where nobody knows which marks there are. */
static bool flag_at(struct reading *r, const char *const *path, struct value *out)
{
    struct mmdb_item item;
    bool known = data_at(r, path, &item) && item.type == MMDB_BOOLEAN;
    *out = value_bool(known && item.size != 0);
    return known || r->q->kind != GEOIP_CUSTOM;
}

/* Names are constants: whoever keeps the map copies them. */
static struct value *below(struct reading *r, struct map *map, slice name)
{
    struct key key = key_borrow(name);
    struct member *m = map_find(map, key.name, key.hash);
    return m != NULL ? &m->val : map_put(map, r->arena, key, value_nil());
}

static bool place_at(struct reading *r, struct value *out)
{
    static const char *const lat_path[] = {"location", "latitude", NULL};
    static const char *const lon_path[] = {"location", "longitude", NULL};
    struct value lat, lon;
    if (!real_at(r, lat_path, &lat) || !real_at(r, lon_path, &lon)) return false;
    *out = value_map(map_new(r->arena));
    *below(r, out->u.map, SLICE("lat")) = lat;
    *below(r, out->u.map, SLICE("lon")) = lon;
    return true;
}

static bool region_at(struct reading *r, slice *out)
{
    static const char *const country[] = {"country", "iso_code", NULL};
    static const char *const region[] = {"subdivisions", "-1", "iso_code", NULL};
    slice land, part;
    if (!text_at(r, country, &land) || !text_at(r, region, &part)) return false;
    *out = arena_join(r->arena, arena_join(r->arena, land, SLICE("-")), part);
    return true;
}

static slice network_of(struct reading *r)
{
    uint32_t bits = r->found.netmask;
    bool wide = r->q->db->metadata.ip_version == 6 && r->address->size == 4;
    if (wide) bits = bits < 96 ? 0 : bits - 96;
    return network_text(r->address, bits, r->arena);
}

static bool field_value(struct reading *r, const struct field *f, struct value *out)
{
    const char *path[7];
    uint32_t n = 0;
    slice text = {0};
    bool trait = f->source == FLAG || f->source == NUMBER || f->source == TEXT;
    trait = trait && r->q->kind == GEOIP_ENTERPRISE && f->path[1] == NULL;
    if (trait) path[n++] = "traits";
    for (uint32_t i = 0; i < 5 && f->path[i] != NULL; i++) path[n++] = f->path[i];
    path[n] = NULL;
    switch (f->source) {
    case NUMBER: return number_at(r, path, out);
    case REAL: return real_at(r, path, out);
    case FLAG: return flag_at(r, path, out);
    case PLACE: return place_at(r, out);
    case NOWHERE: return false;
    case ADDRESS: text = address_text(r->address->bytes, r->address->size, r->arena); break;
    case NETWORK: text = network_of(r); break;
    case REGION:
        if (!region_at(r, &text)) return false;
        break;
    case TEXT:
        if (!text_at(r, path, &text)) {
            /* The one field that Logstash sets to null. */
            *out = value_nil();
            return r->q->kind == GEOIP_DOMAIN;
        }
    }
    *out = value_string(text);
    return true;
}

/* Dots in `path` make maps. */
static void put(struct reading *r, const char *path, struct value val)
{
    struct map *map = r->out;
    slice rest = slice_from_cstr(path);
    for (int64_t dot; (dot = slice_find_byte(rest, '.')) >= 0;) {
        struct value *v = below(r, map, slice_part(rest, 0, (uint32_t)dot));
        if (v->type != VALUE_MAP) {
            uint16_t key_flags = v->key_flags;
            *v = value_map(map_new(r->arena));
            v->key_flags = key_flags;
        }
        map = v->u.map;
        rest = slice_from(rest, (uint32_t)dot + 1);
    }
    map_put(map, r->arena, key_borrow(rest), val);
}

static bool lookup(struct reading *r)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    int status = MMDB_SUCCESS;
    memcpy(&v4.sin_addr, r->address->bytes, 4);
    memcpy(&v6.sin6_addr, r->address->bytes, 16);
    const void *address = r->address->size == 4 ? (const void *)&v4 : (const void *)&v6;
    r->found = MMDB_lookup_sockaddr(r->q->db, address, &status);
    return status == MMDB_SUCCESS && r->found.found_entry;
}

struct geoip_question geoip_question_make(const struct mmdb *db, uint32_t chosen, bool ecs)
{
    struct geoip_question q = {&db->db, geoip_kind_of(db->kind), 0, ecs};
    uint32_t kind = 1u << q.kind;
    bool city = q.kind == GEOIP_CITY, custom = q.kind == GEOIP_CUSTOM;
    for (uint32_t i = 0; i < FIELD_N; i++) {
        const struct field *f = &fields[i];
        uint32_t standard = f->standard;
        /* The composite code is for ECS; without it a city has the plain one. */
        if (city && f->source == REGION && !ecs) standard = 0;
        if (city && ecs && strcmp(f->name, "region_code") == 0) standard = 0;
        bool wanted = chosen != 0 ? chosen & 1u << i : custom || standard & kind;
        bool has = custom || f->kinds & kind;
        bool named = (ecs ? f->ecs : f->legacy)[0] != '\0';
        if (wanted && has && named) q.wanted |= 1u << i;
    }
    return q;
}

struct map *geoip_record(const struct geoip_question *q, const struct geoip_address *address,
                         struct arena *arena)
{
    struct reading r;
    r.q = q, r.address = address, r.arena = arena, r.out = map_new(arena), r.member_n = 0;
    bool city = q->kind == GEOIP_CITY;
    struct value val;
    if (!lookup(&r)) return r.out;
    r.data = slice_make((const char *)q->db->data_section, q->db->data_section_size);
    members_find(&r);
    static const char *const lat[] = {"location", "latitude", NULL};
    static const char *const lon[] = {"location", "longitude", NULL};
    if (city && !real_at(&r, lat, &val) && !real_at(&r, lon, &val)) return r.out;
    for (uint32_t left = q->wanted; left != 0; left &= left - 1) {
        const struct field *f = &fields[__builtin_ctz(left)];
        if (field_value(&r, f, &val)) put(&r, q->ecs ? f->ecs : f->legacy, val);
    }
    return r.out;
}
