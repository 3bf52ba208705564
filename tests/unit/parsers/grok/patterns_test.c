/*
 * patterns_test.c - the pattern libraries of conf/patterns, matched by Oniguruma.
 *
 * Every pattern of both libraries must expand and compile, and must behave as the samples in
 * tests/corpus/patterns/<library> say (their format is at the top of those files). The expansion
 * here is a small one of its own, so that a fault in the grok parser cannot hide one in a pattern.
 */
#include "tests/unit/t.h"
#include "parsers/grok/patterns.h"

#include <ctype.h>
#include <oniguruma.h>
#include <stdlib.h>

enum { FIELDS_MAX = 256, TEXT_BYTES_MAX = 1 << 17, LINE_BYTES_MAX = 8192, NAMES_MAX = 1024 };

/* A pattern with %{...} replaced and its groups numbered; fields[i] is what group i + 1 is for. */
struct expansion {
    char text[TEXT_BYTES_MAX];
    uint32_t n;
    char fields[FIELDS_MAX][128];
    uint32_t fields_n;
};

struct library {
    enum grok_library id;
    const char *samples_path;
    const struct grok_pattern *patterns;
    uint32_t n;
    uint32_t public_n; /* names without SPATE_ */
};

static struct expansion expanded;

static struct library library_get(enum grok_library id)
{
    if (id == GROK_LEGACY)
        return (struct library){id, "tests/corpus/patterns/legacy", grok_patterns_legacy,
                                grok_patterns_legacy_n, 317};
    return (struct library){id, "tests/corpus/patterns/ecs-v1", grok_patterns_ecs_v1,
                            grok_patterns_ecs_v1_n, 362};
}

static void append(struct expansion *e, const char *text, size_t n)
{
    if (e->n + n >= TEXT_BYTES_MAX) fail_msg("expansion too long");
    memcpy(e->text + e->n, text, n);
    e->n += (uint32_t)n;
    e->text[e->n] = '\0';
}

/* Opens a capture; Oniguruma takes no brackets in names, so it gets a number for a name. */
static void append_group(struct expansion *e, const char *field, size_t n)
{
    char open[32];
    if (e->fields_n >= FIELDS_MAX || n >= sizeof(e->fields[0])) fail_msg("too many fields");
    memcpy(e->fields[e->fields_n], field, n);
    e->fields[e->fields_n][n] = '\0';
    append(e, open, (size_t)snprintf(open, sizeof(open), "(?<f%u>", e->fields_n++));
}

static void expand(struct expansion *e, enum grok_library lib, const char *at, unsigned depth);

/* At "%{NAME}" or "%{NAME:field}" or "%{NAME:field:type}"; returns what follows it. */
static const char *expand_reference(struct expansion *e, enum grok_library lib, const char *at,
                                    unsigned depth)
{
    const char *name = at + 2;
    const char *end = strchr(name, '}');
    if (end == NULL) fail_msg("no } after %.40s", at);
    size_t name_n = strcspn(name, ":}");
    const char *text = grok_pattern_find(lib, slice_make(name, name_n));
    if (text == NULL) fail_msg("no pattern for %.40s", at);
    if (name[name_n] == ':')
        append_group(e, name + name_n + 1, (size_t)(end - name) - name_n - 1);
    else
        append(e, "(?:", 3);
    expand(e, lib, text, depth + 1);
    append(e, ")", 1);
    return end + 1;
}

static void expand(struct expansion *e, enum grok_library lib, const char *at, unsigned depth)
{
    if (depth > 20) fail_msg("patterns refer to each other in a circle");
    while (*at != '\0') {
        if (at[0] == '%' && at[1] == '{') {
            at = expand_reference(e, lib, at, depth);
        } else if (strncmp(at, "(?<", 3) == 0 && at[3] != '=' && at[3] != '!') {
            size_t n = strcspn(at + 3, ">");
            append_group(e, at + 3, n);
            at += n + 4;
        } else {
            size_t n = at[0] == '\\' && at[1] != '\0' ? 2 : 1;
            append(e, at, n);
            at += n;
        }
    }
}

static regex_t *compile(enum grok_library lib, const char *text)
{
    regex_t *regex = NULL;
    OnigErrorInfo info;
    expanded.n = 0;
    expanded.fields_n = 0;
    expand(&expanded, lib, text, 0);
    int rc =
        onig_new(&regex, (const UChar *)expanded.text, (const UChar *)expanded.text + expanded.n,
                 ONIG_OPTION_MULTILINE, ONIG_ENCODING_UTF8, ONIG_SYNTAX_RUBY, &info);
    if (rc != ONIG_NORMAL) {
        char message[ONIG_MAX_ERROR_MESSAGE_LEN];
        int n = onig_error_code_to_str((UChar *)message, rc, &info);
        fail_msg("%.*s in %s", n, message, text);
    }
    return regex;
}

static bool search(regex_t *regex, const char *text, OnigRegion *region)
{
    const UChar *from = (const UChar *)text;
    const UChar *to = from + strlen(text);
    int at = onig_search(regex, from, to, from, to, region, ONIG_OPTION_NONE);
    if (at < 0 && at != ONIG_MISMATCH) fail_msg("onig_search says %d on %s", at, text);
    return at >= 0;
}

/* The samples of one pattern: compiled alone, and for the whole text. */
struct subject {
    char name[64];
    regex_t *part;
    regex_t *whole;
    bool proven;
};

struct reader {
    struct library lib;
    FILE *file;
    char line[LINE_BYTES_MAX];
    bool kept; /* the line was read ahead and is still to be used */
    unsigned number;
    OnigRegion *region;
    struct subject subject;
    char names[NAMES_MAX][64];
    uint32_t names_n;
};

static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        at++;
        *to++ = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at == 'r' ? '\r' : *at;
    }
    *to = '\0';
}

static bool read_line(struct reader *r)
{
    if (r->kept) {
        r->kept = false;
        return true;
    }
    if (fgets(r->line, sizeof(r->line), r->file) == NULL) return false;
    r->number++;
    size_t n = strlen(r->line);
    if (n == 0 || r->line[n - 1] != '\n') fail_msg("line %u is too long", r->number);
    r->line[n - 1] = '\0';
    unescape(r->line);
    return true;
}

static void subject_close(struct reader *r)
{
    struct subject *s = &r->subject;
    if (s->part == NULL) return;
    if (!s->proven) fail_msg("%s has no sample that it matches", s->name);
    onig_free(s->part);
    onig_free(s->whole);
    *s = (struct subject){0};
}

static void subject_open(struct reader *r, const char *name)
{
    struct subject *s = &r->subject;
    char text[128];
    subject_close(r);
    snprintf(s->name, sizeof(s->name), "%s", name);
    assert_true(r->names_n < NAMES_MAX);
    snprintf(r->names[r->names_n++], sizeof(r->names[0]), "%s", name);
    snprintf(text, sizeof(text), "\\A%%{%s}\\z", name);
    s->whole = compile(r->lib.id, text);
    snprintf(text, sizeof(text), "%%{%s}", name);
    s->part = compile(r->lib.id, text); /* last: its fields are the ones in use */
}

static void check_whole(struct reader *r, const char *text, bool wanted)
{
    if (search(r->subject.whole, text, r->region) != wanted)
        fail_msg("%s:%u: %s %s \"%s\"", r->lib.samples_path, r->number, r->subject.name,
                 wanted ? "should match" : "should not match", text);
    if (wanted) r->subject.proven = true;
}

static void check_found(struct reader *r, const char *text)
{
    char copy[LINE_BYTES_MAX];
    snprintf(copy, sizeof(copy), "%s", text);
    if (!search(r->subject.part, copy, r->region))
        fail_msg("%s:%u: nothing found", r->lib.samples_path, r->number);
    if (!read_line(r) || r->line[0] != '>') fail_msg("line %u: > is missing", r->number);
    slice found =
        slice_make(copy + r->region->beg[0], (size_t)(r->region->end[0] - r->region->beg[0]));
    assert_slice_equal(found, slice_from_cstr(r->line + 2));
    r->subject.proven = true;
}

/* The groups that took part, in order, against the lines "  field: value". */
static void check_captures(struct reader *r, const char *text)
{
    char copy[LINE_BYTES_MAX], got[LINE_BYTES_MAX];
    snprintf(copy, sizeof(copy), "%s", text);
    if (!search(r->subject.part, copy, r->region))
        fail_msg("%s:%u: %s does not match", r->lib.samples_path, r->number, r->subject.name);
    for (uint32_t i = 0; i < expanded.fields_n; i++) {
        int from = r->region->beg[i + 1];
        if (from < 0) continue;
        snprintf(got, sizeof(got), "  %s: %.*s", expanded.fields[i], r->region->end[i + 1] - from,
                 copy + from);
        if (!read_line(r)) fail_msg("captures are missing at the end");
        if (strcmp(got, r->line) != 0)
            print_error("%s:%u: %s\n", r->lib.samples_path, r->number, r->subject.name);
        assert_string_equal(got, r->line);
    }
    r->kept = read_line(r);
    if (r->kept && strncmp(r->line, "  ", 2) == 0)
        fail_msg("%s:%u: %s has no such capture", r->lib.samples_path, r->number, r->subject.name);
    r->subject.proven = true;
}

static void check_line(struct reader *r)
{
    const char *text = r->line[0] == '\0' || r->line[1] == '\0' ? "" : r->line + 2;
    switch (r->line[0]) {
    case '\0':
    case '#': break;
    case '=': subject_open(r, text); break;
    case '+': check_whole(r, text, true); break;
    case '-': check_whole(r, text, false); break;
    case '~': check_found(r, text); break;
    case '<': check_captures(r, text); break;
    default: fail_msg("%s:%u: what is this?", r->lib.samples_path, r->number);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void check_samples(enum grok_library id)
{
    static struct reader r;
    r = (struct reader){.lib = library_get(id), .region = onig_region_new()};
    r.file = fopen(r.lib.samples_path, "r");
    if (r.file == NULL) fail_msg("%s is missing", r.lib.samples_path);
    while (read_line(&r)) check_line(&r);
    subject_close(&r);
    fclose(r.file);
    onig_region_free(r.region, 1);

    /* Every name has samples, and there are as many as there should be. */
    qsort(r.names, r.names_n, sizeof(r.names[0]), compare_names);
    for (uint32_t i = 0; i < r.lib.n; i++) {
        const char *name = r.lib.patterns[i].name;
        if (strncmp(name, "SPATE_", 6) == 0) continue;
        if (bsearch(name, r.names, r.names_n, sizeof(r.names[0]), compare_names) == NULL)
            fail_msg("%s has no samples", name);
    }
    assert_int_equal(r.names_n, r.lib.public_n);
}

static void test_samples_legacy(void **state)
{
    (void)state;
    check_samples(GROK_LEGACY);
}

static void test_samples_ecs_v1(void **state)
{
    (void)state;
    check_samples(GROK_ECS_V1);
}

/* Our own building blocks included. */
static void test_all_compile(void **state)
{
    (void)state;
    for (enum grok_library id = GROK_LEGACY; id <= GROK_ECS_V1; id++) {
        struct library lib = library_get(id);
        for (uint32_t i = 0; i < lib.n; i++) onig_free(compile(id, lib.patterns[i].text));
    }
}

static void test_table(void **state)
{
    (void)state;
    for (enum grok_library id = GROK_LEGACY; id <= GROK_ECS_V1; id++) {
        struct library lib = library_get(id);
        uint32_t public_n = 0;
        for (uint32_t i = 0; i < lib.n; i++) {
            const struct grok_pattern *p = &lib.patterns[i];
            if (i > 0) assert_true(strcmp(lib.patterns[i - 1].name, p->name) < 0);
            assert_ptr_equal(grok_pattern_find(id, slice_from_cstr(p->name)), p->text);
            if (strncmp(p->name, "SPATE_", 6) != 0) public_n++;
        }
        assert_int_equal(public_n, lib.public_n);
    }
}

/* Building blocks are used, so that none is left over from a rewrite. */
static void test_blocks_are_used(void **state)
{
    (void)state;
    for (enum grok_library id = GROK_LEGACY; id <= GROK_ECS_V1; id++) {
        struct library lib = library_get(id);
        for (uint32_t i = 0; i < lib.n; i++) {
            char reference[80];
            bool used = strncmp(lib.patterns[i].name, "SPATE_", 6) != 0;
            snprintf(reference, sizeof(reference), "%%{%s", lib.patterns[i].name);
            size_t n = strlen(reference);
            for (uint32_t k = 0; k < lib.n && !used; k++) {
                const char *at = strstr(lib.patterns[k].text, reference);
                while (at != NULL && at[n] != '}' && at[n] != ':') at = strstr(at + 1, reference);
                used = at != NULL;
            }
            if (!used) fail_msg("%s is not used", lib.patterns[i].name);
        }
    }
}

static void test_find_nothing(void **state)
{
    (void)state;
    assert_null(grok_pattern_find(GROK_LEGACY, SLICE("")));
    assert_null(grok_pattern_find(GROK_LEGACY, SLICE_NONE));
    assert_null(grok_pattern_find(GROK_LEGACY, SLICE("WOR")));
    assert_null(grok_pattern_find(GROK_LEGACY, SLICE("WORDS")));
    assert_null(grok_pattern_find(GROK_LEGACY, SLICE("ZEEK_HTTP")));
    assert_null(grok_pattern_find(GROK_ECS_V1, SLICE("zeek_http")));
    assert_null(grok_pattern_find(GROK_ECS_V1, SLICE("ZZZ\0")));
    assert_string_equal(grok_pattern_find(GROK_ECS_V1, SLICE("GREEDYDATA")), ".*");
    assert_string_equal(grok_pattern_find(GROK_LEGACY, slice_part(SLICE("xUSERx"), 1, 4)),
                        "%{USERNAME}");
}

int main(void)
{
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),          cmocka_unit_test(test_find_nothing),
        cmocka_unit_test(test_all_compile),    cmocka_unit_test(test_blocks_are_used),
        cmocka_unit_test(test_samples_legacy), cmocka_unit_test(test_samples_ecs_v1),
    };
    int failed = T_RUN(tests);
    onig_end();
    return failed;
}
