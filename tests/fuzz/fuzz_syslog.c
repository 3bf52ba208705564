/*
 * fuzz_syslog.c - both syslog parsers: no overread, spans inside the text, in order.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/wire/syslog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void inside(slice text, slice part)
{
    if (part.p == NULL) return;
    ASSERT(part.p >= text.p && part.p + part.n <= text.p + text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    slice text = slice_make((const char *)data, n);
    for (enum syslog_dialect dialect = SYSLOG_LEGACY; dialect <= SYSLOG_ECS; dialect++) {
        struct syslog_fields f;
        if (!syslog_3164_parse(text, dialect, &f)) continue;
        inside(text, f.timestamp);
        inside(text, f.logsource);
        inside(text, f.program);
        inside(text, f.pid);
        inside(text, f.message);
        ASSERT(f.message.p + f.message.n == text.p + text.n);
        ASSERT(f.timestamp.n > 0 && f.priority > 0);
        ASSERT(dialect == SYSLOG_ECS || f.logsource.n > 0);
    }
    struct syslog_5424 m;
    if (syslog_5424_parse(text, &m)) {
        inside(text, m.structured_data);
        inside(text, m.message);
        ASSERT(syslog_detect(text) == SYSLOG_KIND_5424);
        struct syslog_sd at = syslog_sd_start(m.structured_data);
        while (syslog_sd_next(&at)) {
            inside(m.structured_data, at.value);
            char *out = malloc(at.value.n + 1);
            ASSERT(out != NULL && syslog_sd_unescape(at.value, out) <= at.value.n);
            free(out);
        }
    }
    return 0;
}
