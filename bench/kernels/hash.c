/* hash.c - hashes of names, digests of messages and their texts. */
#include <string.h>

#include "bench/harness/harness.h"
#include "bench/harness/lines.h"
#include "engine/base/hash.h"
#include "engine/plan/digest.h"

#define NAMES 4096u

static struct lines lines;
static slice names[NAMES];
static char name_text[NAMES][16];
static struct page_pool pool;
static struct arena arena;

static uint64_t hash_names(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < NAMES; i++) sum ^= hash_key(names[i].p, names[i].n);
    return sum;
}

static uint64_t hash_lines(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++) sum ^= hash_bytes(lines.line[i].p, lines.line[i].n, 0);
    return sum;
}

static uint64_t murmur_lines(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++) sum ^= murmur3_32(lines.line[i], 0);
    return sum;
}

static uint64_t base64_lines(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++)
        sum += base64_text((const unsigned char *)lines.line[i].p, lines.line[i].n, &arena).n;
    return sum;
}

static uint64_t hex_lines(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++)
        sum += hex_text((const unsigned char *)lines.line[i].p, lines.line[i].n, &arena).n;
    return sum;
}

static uint64_t digest_lines(void *opaque)
{
    unsigned char out[DIGEST_BYTES_MAX];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < lines.n; i++) {
        digest_bytes(opaque, lines.line[i], out);
        sum += out[0];
    }
    return sum;
}

static void reset(void *opaque)
{
    (void)opaque;
    arena_reset(&arena);
}

static void run(const char *name, uint64_t (*body)(void *), void *opaque)
{
    bench_run(&(struct bench_case){.name = name,
                                   .body = body,
                                   .prepare = reset,
                                   .opaque = opaque,
                                   .events = lines.n,
                                   .bytes = lines.text.n});
}

int main(int argc, char **argv)
{
    struct digest d;
    struct prng r;
    bench_begin(argc, argv, "hash");
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    prng_seed(&r, 1);
    for (uint32_t i = 0; i < NAMES; i++) {
        uint32_t n = 3 + (uint32_t)prng_below(&r, 12);
        for (uint32_t k = 0; k < n; k++) name_text[i][k] = (char)('a' + prng_below(&r, 26));
        names[i] = slice_make(name_text[i], n);
    }
    lines_make(&lines, 1024, line_rfc3164);
    bench_run(&(struct bench_case){.name = "field name", .body = hash_names, .events = NAMES});
    run("205 bytes", hash_lines, NULL);
    run("murmur3 of 205 bytes", murmur_lines, NULL);
    run("base64 of 205 bytes", base64_lines, NULL);
    run("hexadecimal of 205 bytes", hex_lines, NULL);
    digest_init(&d, DIGEST_SHA256, SLICE_NONE);
    run("SHA-256 of 205 bytes", digest_lines, &d);
    digest_init(&d, DIGEST_SHA256, SLICE("secret"));
    run("SHA-256 of 205 bytes, keyed", digest_lines, &d);
    digest_init(&d, DIGEST_SHA1, SLICE_NONE);
    run("SHA-1 of 205 bytes", digest_lines, &d);
    digest_init(&d, DIGEST_MD5, SLICE_NONE);
    run("MD5 of 205 bytes", digest_lines, &d);
    lines_fini(&lines);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return bench_end();
}
