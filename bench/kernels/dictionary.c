/*
 * dictionary.c - ns a look-up in dictionaries, and ns a digest.
 *
 * Prints one line a case: the best of several rounds over 65536 look-ups in random order.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/prng.h"
#include "engine/plan/dictionary.h"
#include "engine/plan/digest.h"
#include "parsers/init.h"

#define LOOKUPS 65536u
#define ROUNDS 20

static slice text_at[LOOKUPS];
static char text_bytes[LOOKUPS][48];

static void report(const char *name, int64_t best_ns, uint64_t n, uint64_t sum)
{
    printf("%-44s %7.1f ns   (%llx)\n", name, (double)best_ns / (double)n, (unsigned long long)sum);
}

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

static void bench_exact(const char *name, uint32_t n)
{
    struct dictionary *d = dictionary_make(DICTIONARY_EXACT, n, "host-#.example", "host-#.example");
    int64_t best_ns = INT64_MAX;
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = clock_mono_ns();
        for (uint32_t i = 0; i < LOOKUPS; i++)
            sum += (uint64_t)dictionary_get(d, text_at[i], false)->u.num;
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    report(name, best_ns, LOOKUPS, sum);
    dictionary_free(d);
}

static void bench_regex(const char *name, uint32_t n, const char *key, const char *text, bool found)
{
    struct dictionary *d = dictionary_make(DICTIONARY_REGEX, n, key, text);
    struct regex_list_scratch *scratch = regex_list_scratch_new(d->regexes);
    int64_t best_ns = INT64_MAX;
    uint64_t sum = 0;
    for (int round = 0; round < 3; round++) {
        int64_t begin_ns = clock_mono_ns();
        for (uint32_t i = 0; i < LOOKUPS; i++)
            sum += dictionary_match(d, scratch, text_at[i]) != NULL;
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    ASSERT(found == (sum > 0));
    report(name, best_ns, LOOKUPS, sum);
    regex_list_scratch_free(scratch);
    dictionary_free(d);
}

static void bench_digest(const char *name, enum digest_method method, slice key)
{
    static char text[200];
    struct digest d;
    unsigned char out[DIGEST_BYTES_MAX];
    int64_t best_ns = INT64_MAX;
    uint64_t sum = 0;
    digest_init(&d, method, key);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = clock_mono_ns();
        for (uint32_t i = 0; i < 10000; i++) {
            text[i % sizeof(text)] = (char)i;
            digest_bytes(&d, slice_make(text, sizeof(text)), out);
            sum += out[0];
        }
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    report(name, best_ns, 10000, sum);
}

int main(void)
{
    parsers_init(cpu_init());
    bench_exact("exact, 1,000 entries", 1000);
    bench_exact("exact, 100,000 entries", 100000);
    bench_regex("regex, 1,000 entries, found", 1000, "^code-#: ", "code-#: text", true);
    bench_regex("regex, 1,000 entries, not found", 1000, "^code-#: ", "line # of text", false);
    bench_digest("SHA-256 of 200 bytes", DIGEST_SHA256, SLICE_NONE);
    bench_digest("SHA-256 of 200 bytes, keyed", DIGEST_SHA256, SLICE("secret"));
    bench_digest("SHA-1 of 200 bytes", DIGEST_SHA1, SLICE_NONE);
    bench_digest("MD5 of 200 bytes", DIGEST_MD5, SLICE_NONE);
    return 0;
}
