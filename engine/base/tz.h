/*
 * tz.h - time zones: immutable rules read from the system's tzdata.
 *
 * Zones live in one registry for the life of the process and are never freed or changed.
 * Only the control thread loads (tz_load, tz_load_all, tz_host); after that any thread finds
 * and asks without a lock. Neither libc's TZ globals nor localtime() are used. A caller that
 * asks often keeps a tz_hint of its own: the range in which the last answer stays true.
 *
 * Names: IANA ids, UTC, and fixed offsets "+02", "+0200", "+02:00", "+02:00:30", also behind
 * "UTC", "GMT" or "UT". Names that would leave the zone folder are refused as unknown.
 * Format: RFC 8536 (TZif versions 1 to 4), with the POSIX TZ string of its footer.
 */
#ifndef ENGINE_BASE_TZ_H
#define ENGINE_BASE_TZ_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

#define TZ_NAME_MAX 63u

struct tz;

/* Seconds in [from_s, until_s) have this offset. Zeroed: knows nothing. */
struct tz_hint {
    const struct tz *zone;
    int64_t from_s, until_s;
    int32_t offset_s;
};

enum tz_local_kind {
    TZ_LOCAL_UNIQUE,
    TZ_LOCAL_OVERLAP, /* twice: clocks went back; the first one is in offset_s */
    TZ_LOCAL_GAP      /* never: clocks went forward over it */
};

struct tz_local {
    enum tz_local_kind kind;
    int32_t offset_s;       /* of the earlier instant; in a gap, the one before the jump */
    int32_t offset_after_s; /* of the later instant; equal to offset_s when unique */
};

/* The zone that is always there. */
const struct tz *tz_utc(void);

/* Control thread only. NULL when the name is no zone or its file is broken. */
const struct tz *tz_load(slice name);
/* Loads every zone of the system, so that tz_find and tz_find_prefix know names that
 * arrive in events, and the whole-minute fixed offsets. Returns how many names are known. */
uint32_t tz_load_all(void);
/* $TZ, else /etc/localtime, else UTC. Never NULL. */
const struct tz *tz_host(void);

/* Any thread; only what was loaded. NULL when unknown. */
const struct tz *tz_find(slice name);
/* The longest loaded IANA id that `text` starts with, its length in *n. NULL when none. */
const struct tz *tz_find_prefix(slice text, uint32_t *n);

const char *tz_name(const struct tz *zone);
/* True when the offset never changes; it is then in *offset_s. */
bool tz_is_fixed(const struct tz *zone, int32_t *offset_s);

/* Seconds east of UTC at an instant. hint may be NULL. */
int32_t tz_offset(const struct tz *zone, int64_t utc_s, struct tz_hint *hint);
/* The abbreviation (CET, CEST, "+03") at an instant; lives as long as the process. */
const char *tz_abbreviation(const struct tz *zone, int64_t utc_s);
bool tz_is_dst(const struct tz *zone, int64_t utc_s);
/* What a wall clock reading (seconds as if it were UTC) means. hint may be NULL. */
struct tz_local tz_local(const struct tz *zone, int64_t local_s, struct tz_hint *hint);

/* Builds a zone that is not registered, from TZif bytes; for tests and fuzzing. */
struct tz *tz_parse(slice name, slice bytes);
void tz_free(struct tz *zone);

#endif
