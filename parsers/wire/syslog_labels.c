/*
 * syslog_labels.c - names of facilities and severities; which of the two kinds a text is.
 */
#include "engine/base/assert.h"
#include "parsers/wire/syslog.h"

static const char *const input_facilities[] = {
    "kernel",
    "user-level",
    "mail",
    "system",
    "security/authorization",
    "syslogd",
    "line printer",
    "network news",
    "UUCP",
    "clock",
    "security/authorization",
    "FTP",
    "NTP",
    "log audit",
    "log alert",
    "clock",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
};

static const char *const input_severities[] = {
    "Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug",
};

static const char *const pri_facilities[] = {
    "kernel",
    "user-level",
    "mail",
    "daemon",
    "security/authorization",
    "syslogd",
    "line printer",
    "network news",
    "uucp",
    "clock",
    "security/authorization",
    "ftp",
    "ntp",
    "log audit",
    "log alert",
    "clock",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
};

static const char *const pri_severities[] = {
    "emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug",
};

_Static_assert(ARRAY_LEN(input_facilities) == SYSLOG_FACILITIES, "one label each");
_Static_assert(ARRAY_LEN(pri_facilities) == SYSLOG_FACILITIES, "one label each");
_Static_assert(ARRAY_LEN(input_severities) == SYSLOG_SEVERITIES, "one label each");
_Static_assert(ARRAY_LEN(pri_severities) == SYSLOG_SEVERITIES, "one label each");

static slice label(const char *const *labels, uint32_t n, uint32_t index)
{
    return index < n ? slice_from_cstr(labels[index]) : SLICE_NONE;
}

slice syslog_input_facility(uint32_t facility)
{
    return label(input_facilities, SYSLOG_FACILITIES, facility);
}

slice syslog_input_severity(uint32_t severity)
{
    return label(input_severities, SYSLOG_SEVERITIES, severity);
}

slice syslog_pri_facility(uint32_t facility)
{
    return label(pri_facilities, SYSLOG_FACILITIES, facility);
}

slice syslog_pri_severity(uint32_t severity)
{
    return label(pri_severities, SYSLOG_SEVERITIES, severity);
}

static uint32_t digits_from(slice text, uint32_t i)
{
    uint32_t n = 0;
    while (i + n < text.n && text.p[i + n] >= '0' && text.p[i + n] <= '9') n++;
    return n;
}

enum syslog_kind syslog_detect(slice text)
{
    if (text.n < 3 || text.p[0] != '<') return SYSLOG_KIND_NONE;
    uint32_t n = digits_from(text, 1);
    if (n == 0 || 1 + n >= text.n || text.p[1 + n] != '>') return SYSLOG_KIND_NONE;
    /* After the version comes a date that starts with its year, or "-". A 3164 line may also
     * start with a year and a dash, never with a number and a space before a number. */
    uint32_t i = n + 2;
    n = digits_from(text, i);
    if (n == 0 || n > 3 || text.p[i] == '0' || i + n + 1 >= text.n || text.p[i + n] != ' ')
        return SYSLOG_KIND_3164;
    i += n;
    while (i < text.n && text.p[i] == ' ') i++;
    if (i == text.n) return SYSLOG_KIND_3164;
    return digits_from(text, i) > 0 || text.p[i] == '-' ? SYSLOG_KIND_5424 : SYSLOG_KIND_3164;
}
