/*
 * syslog.h - syslog messages to spans: RFC 3164 the way Logstash reads it, and RFC 5424.
 *
 * RFC 3164: syslog_3164_parse() accepts exactly the texts that Logstash's syslog input
 * accepts, `<%{POSINT}>%{SYSLOGLINE}` searched anywhere in the text, and cuts them the same
 * way. The two pattern sets of Logstash differ, so does the dialect: in the legacy set a host is
 * required and may consist of several glued hosts (the last one is kept), in the ECS set host
 * and program are each optional. Known deviations: a non-ASCII separator inside an inner
 * `<1.2>` is taken for a letter, and a host glued from several that is longer than
 * SYSLOG_HOST_MAX bytes is refused.
 *
 * RFC 5424: strict by its section 6, with these leniencies, each seen in the field: more
 * than one space between header fields; priorities above 191 and with leading zeros; a zone
 * written +0100; a comma before the fraction and up to nine digits of it; header fields longer
 * than the RFC's limits; bytes outside 33..126 other than space in them; a backslash before
 * other characters in a value, kept as it is; nothing at all after the message id. A space
 * between two SD elements is not forgiven: as the RFC says, the message begins there.
 *
 * Bytes in, slices out: the fields point into the text. Never allocates, any thread.
 */
#ifndef PARSERS_WIRE_SYSLOG_H
#define PARSERS_WIRE_SYSLOG_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define SYSLOG_HOST_MAX 1024u
#define SYSLOG_FACILITIES 24u
#define SYSLOG_SEVERITIES 8u
/* What RFC 3164 prescribes for a text that is no syslog message: user-level, notice. */
#define SYSLOG_PRIORITY_UNKNOWN 13u

enum syslog_dialect { SYSLOG_LEGACY, SYSLOG_ECS };

/* Absent fields have p == NULL. */
struct syslog_fields {
    uint32_t priority;   /* saturates at UINT32_MAX */
    bool iso8601;        /* the timestamp is of the ISO 8601 kind: timestamp8601 is set too */
    slice priority_text; /* its digits */
    slice timestamp;
    slice timestamp8601;
    slice facility, facility_priority; /* of an inner "<facility.priority>" */
    slice logsource;
    slice program, pid;
    slice message; /* to the end of the text, newlines included; may be empty */
};

/* False when Logstash would tag the text as unparsable; *out is undefined then. */
bool syslog_3164_parse(slice text, enum syslog_dialect dialect, struct syslog_fields *out);

/* Why a text is no RFC 5424 message. */
enum syslog_5424_fault {
    SYSLOG_5424_OK,
    SYSLOG_5424_PRIORITY,
    SYSLOG_5424_VERSION,
    SYSLOG_5424_TIMESTAMP,
    SYSLOG_5424_HOSTNAME,
    SYSLOG_5424_APP_NAME,
    SYSLOG_5424_PROCID,
    SYSLOG_5424_MSGID,
    SYSLOG_5424_STRUCTURED_DATA
};

/* A field that is "-" (NILVALUE) is absent: p == NULL. */
struct syslog_5424 {
    uint32_t priority, version;
    slice timestamp, hostname, app_name, procid, msgid;
    slice structured_data; /* all elements with their brackets */
    slice message;         /* without the BOM; p == NULL when there is none */
    bool bom;
    enum syslog_5424_fault fault;
    uint32_t fault_at; /* byte offset in the text */
};

/* False sets fault and fault_at; the fields before the fault are valid. */
bool syslog_5424_parse(slice text, struct syslog_5424 *out);
/* False when syslog_5424_parse would fail at the version or before: what most texts of the other
 * kind are told by, without a call. */
static inline bool syslog_5424_likely(slice text)
{
    uint64_t word;
    if (text.n < sizeof(word)) return true;
    if (text.p[0] != '<') return false;
    memcpy(&word, text.p, sizeof(word));
    uint64_t marks = word ^ 0x3e3e3e3e3e3e3e3eULL; /* zero where '>' is */
    marks = (marks - 0x0101010101010101ULL) & ~marks & 0x8080808080808080ULL;
    if (marks == 0) return true;
    uint32_t behind = (uint32_t)__builtin_ctzll(marks) / 8 + 1;
    return behind == text.n || text.p[behind] == '1';
}
const char *syslog_5424_fault_text(enum syslog_5424_fault fault);

/* Walks the structured data of a parsed message:
 *   struct syslog_sd at = syslog_sd_start(m.structured_data);
 *   while (syslog_sd_next(&at)) use(at.element, at.name, at.value, at.escaped);
 * An element without parameters comes once, with name.p == NULL. */
struct syslog_sd {
    slice rest;
    slice element, name;
    slice value;  /* raw; see syslog_sd_unescape */
    bool escaped; /* the value contains \" \\ or \] */
};
struct syslog_sd syslog_sd_start(slice structured_data);
bool syslog_sd_next(struct syslog_sd *at);
/* Writes at most value.n bytes, returns how many. */
uint32_t syslog_sd_unescape(slice value, char *out);

enum syslog_kind { SYSLOG_KIND_NONE, SYSLOG_KIND_3164, SYSLOG_KIND_5424 };
/* A cheap look at the first bytes: "<digits>" then a version, a space and a digit or '-'
 * is 5424, any other "<digits>" 3164. */
enum syslog_kind syslog_detect(slice text);

/* Labels as Logstash names them; p == NULL for numbers out of range. The input's defaults are
 * "Emergency", "UUCP", ...; the syslog_pri filter's are lower case, with "daemon" for "system". */
slice syslog_input_facility(uint32_t facility);
slice syslog_input_severity(uint32_t severity);
slice syslog_pri_facility(uint32_t facility);
slice syslog_pri_severity(uint32_t severity);

#endif
