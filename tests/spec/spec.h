/*
 * spec.h - what the parts of spec_runner share: a case of a spec file, the runner, and what each
 * part does. One thread; documents live in runner.expected until the next run of a case.
 */
#ifndef TESTS_SPEC_SPEC_H
#define TESTS_SPEC_SPEC_H
#include "engine/config/files.h"
#include "engine/plan/plan.h"
#include "parsers/grok/regex.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_write.h"

#define SPEC_STEPS_MAX 16u

struct spec_part {
    slice body;
    uint32_t line; /* of its first line */
    bool given;
};

/* Something that happens to a codec: bytes come, or nothing comes for a while. */
struct spec_step {
    struct spec_part bytes;
    bool idle;
};

struct spec {
    const char *file;
    uint32_t line;
    slice title, config, ecs;
    struct spec_part in, out, text, error;
    bool lines, exact, unordered;
    /* Cases of codecs. */
    struct spec_step step[SPEC_STEPS_MAX];
    uint32_t step_n;
    bool stream, open;
};

struct docs {
    struct value *at;
    uint32_t n, cap;
};

struct runner {
    struct page_pool pool;
    struct batch batch;
    struct arena expected; /* memory of documents */
    struct json_reader reader;
    struct regex_scratch *scratch;
    struct time_iso_cache cache;
    struct docs docs; /* what came out */
    char how[64];     /* in which of several runs of the case; may be empty */
    uint32_t passed, failed;
    bool case_failed;
};

void fail_at(struct runner *r, const struct spec *spec, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- spec_file.c: reading ----------------------------------------------------- */

struct reader {
    slice rest;
    uint32_t line; /* number of the line that comes next */
};

bool line_next(struct reader *at, slice *line);
/* The next case; false at the end of the file. */
bool spec_next(struct runner *r, struct reader *at, const char *file, struct spec *spec);
/* The bytes of a section, without line breaks and with \n \r \t \0 \xNN and \\ replaced; false when
 * it has another escape, which was reported. */
bool part_bytes(struct runner *r, const struct spec *spec, const struct spec_part *part,
                struct buf *out);

/* ---- spec_match.c: documents --------------------------------------------------- */

bool doc_parse(struct runner *r, slice text, struct arena *arena, struct value *out);
void docs_clear(struct runner *r);
/* Adds the event as outputs would write it, with @metadata, to the documents. */
bool docs_add(struct runner *r, const struct spec *spec, struct event *ev);
/* Reports in what the documents differ from the `out` section. */
void docs_compare(struct runner *r, const struct spec *spec);

/* ---- spec_filter.c, spec_codec.c: running --------------------------------------- */

/* The events of the `in` section, into the batch. */
bool events_read(struct runner *r, const struct spec *spec);
void filter_try(struct runner *r, const struct spec *spec, struct plan *plan);

bool spec_is_codec(const struct spec *spec);
/* A codec as a whole configuration. */
void codec_config(const struct spec *spec, struct buf *out);
const struct registry *codec_registry(void);
void codec_try(struct runner *r, const struct spec *spec, struct plan *plan);

#endif
