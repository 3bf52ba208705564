/*
 * cef_fields.h - the extension fields of CEF: full name, short key and place in ECS.
 *
 * A constant table, in the order in which later entries win when two fields have one place.
 * Facts: the field mapping of logstash-codec-cef 6.2.8.
 */
#ifndef PARSERS_TEXT_CEF_FIELDS_H
#define PARSERS_TEXT_CEF_FIELDS_H
#include <stdbool.h>
#include <stdint.h>

struct cef_field {
    const char *name, *key; /* key is the name when there is no shorter one */
    const char *ecs;        /* with `device => observer` */
    const char *ecs_host;   /* with `device => host` */
    const char *legacy;     /* an older name that is taken as well; NULL */
    bool time;              /* in ECS it becomes a timestamp */
};

extern const struct cef_field cef_fields[];
extern const uint32_t cef_field_n;

#endif
