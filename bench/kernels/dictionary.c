/* dictionary.c - look-ups in dictionaries as translate makes them, in random order. */
#include <stdio.h>
#include <string.h>

#include "bench/harness/harness.h"
#include "engine/base/assert.h"
#include "engine/base/prng.h"
#include "engine/plan/dictionary.h"

#define LOOKUPS 8192u

static slice text_at[LOOKUPS];
static char text_bytes[LOOKUPS][48];

struct looking {
    struct dictionary *d;
    struct regex_list_scratch *scratch;
};

/* The # of `format` becomes the number. */
static int text_make(char out[48], const char *format, uint32_t number)
{
    int at = (int)strcspn(format, "#");
    return snprintf(out, 48, "%.*s%u%s", at, format, number, format + at + 1);
}

static struct dictionary *dictionary_make(enum dictionary_mode mode, uint32_t n,
                                          const char *key_format, const char *text_format)
{
    struct dictionary *d = dictionary_new(mode);
    struct prng random;
    char key[48], reason[DICTIONARY_ERROR_BYTES];
    prng_seed(&random, 1);
    for (uint32_t i = 0; i < n; i++) {
        int bytes = text_make(key, key_format, i);
        struct value val = value_int(i);
        dictionary_put(d, slice_make(key, (size_t)bytes), false, &val);
    }
    ASSERT(dictionary_finish(d, NULL, reason));
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        int bytes = text_make(text_bytes[i], text_format, (uint32_t)prng_below(&random, n));
        text_at[i] = slice_make(text_bytes[i], (size_t)bytes);
    }
    return d;
}

static uint64_t get_all(void *opaque)
{
    struct looking *l = opaque;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < LOOKUPS; i++)
        sum += (uint64_t)dictionary_get(l->d, text_at[i], false)->u.num;
    return sum;
}

static uint64_t match_all(void *opaque)
{
    struct looking *l = opaque;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < LOOKUPS; i++)
        sum += dictionary_match(l->d, l->scratch, text_at[i]) != NULL;
    return sum;
}

static void bench_exact(const char *name, uint32_t n)
{
    if (!bench_wanted(name)) return;
    struct looking l = {
        .d = dictionary_make(DICTIONARY_EXACT, n, "host-#.example", "host-#.example")};
    bench_run(&(struct bench_case){.name = name, .body = get_all, .opaque = &l, .events = LOOKUPS});
    dictionary_free(l.d);
}

static void bench_regex(const char *name, uint32_t n, const char *key, const char *text, bool found)
{
    if (!bench_wanted(name)) return;
    struct looking l = {.d = dictionary_make(DICTIONARY_REGEX, n, key, text)};
    l.scratch = regex_list_scratch_new(l.d->regexes);
    ASSERT(found == (match_all(&l) > 0));
    bench_run(
        &(struct bench_case){.name = name, .body = match_all, .opaque = &l, .events = LOOKUPS});
    regex_list_scratch_free(l.scratch);
    dictionary_free(l.d);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "dictionary");
    bench_exact("exact, 1,000 entries", 1000);
    bench_exact("exact, 100,000 entries", 100000);
    bench_regex("regex, 1,000 entries, found", 1000, "^code-#: ", "code-#: text", true);
    bench_regex("regex, 1,000 entries, not found", 1000, "^code-#: ", "line # of text", false);
    return bench_end();
}
