/* number.c - numbers to text and back, and values to strings as sprintf and mutate see them. */
#include "bench/harness/harness.h"
#include "engine/base/number.h"
#include "engine/base/prng.h"
#include "engine/event/value.h"
#include "parsers/text/ruby_number.h"

#define N 4096u

static int64_t ints[N];
static double reals[N];
static char int_text[N][24], real_text[N][NUMBER_TEXT_MAX];
static slice int_at[N], real_at[N];
static struct value values[N];
static struct page_pool pool;
static struct arena arena;

static void input_make(void)
{
    struct prng r;
    prng_seed(&r, 1);
    for (uint32_t i = 0; i < N; i++) {
        ints[i] = (int64_t)(prng_next(&r) >> (20 + prng_below(&r, 40)));
        reals[i] = (double)prng_below(&r, 10000000) / 1000;
        int_at[i] = slice_make(int_text[i], number_i64_text(ints[i], int_text[i]));
        real_at[i] = slice_make(real_text[i], number_f64_text(reals[i], real_text[i]));
        values[i] = i % 3 == 0   ? value_int(ints[i])
                    : i % 3 == 1 ? value_float(reals[i])
                                 : value_string(int_at[i]);
    }
}

static uint64_t int_write(void *opaque)
{
    char out[24];
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < N; i++) sum += number_i64_text(ints[i], out) + (uint8_t)out[0];
    return sum;
}

static uint64_t int_read(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < N; i++) {
        int64_t value = 0;
        if (slice_to_i64(int_at[i], &value)) sum += (uint64_t)value;
    }
    return sum;
}

static uint64_t real_write(void *opaque)
{
    char out[NUMBER_TEXT_MAX];
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < N; i++) sum += number_f64_text(reals[i], out) + (uint8_t)out[0];
    return sum;
}

static uint64_t real_read(void *opaque)
{
    double sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < N; i++) {
        double value = 0;
        if (number_f64_parse(real_at[i], &value)) sum += value;
    }
    return (uint64_t)sum;
}

static uint64_t ruby_read(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < N; i++) sum += (uint64_t)ruby_to_i(int_at[i], &arena).u.num;
    return sum;
}

static uint64_t to_text(void *opaque)
{
    struct buf *scratch = opaque;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < N; i++) sum += value_to_slice(&values[i], &arena, scratch).n;
    return sum;
}

static void reset(void *opaque)
{
    (void)opaque;
    arena_reset(&arena);
}

int main(int argc, char **argv)
{
    struct buf scratch = {0};
    bench_begin(argc, argv, "number");
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    input_make();
    struct bench_case c = {.events = N, .prepare = reset, .opaque = &scratch};
    c.name = "integer to text", c.body = int_write, bench_run(&c);
    c.name = "text to integer", c.body = int_read, bench_run(&c);
    c.name = "float to text", c.body = real_write, bench_run(&c);
    c.name = "text to float", c.body = real_read, bench_run(&c);
    c.name = "text to integer, Ruby's way", c.body = ruby_read, bench_run(&c);
    c.name = "value to string", c.body = to_text, bench_run(&c);
    arena_fini(&arena);
    page_pool_fini(&pool);
    buf_fini(&scratch);
    return bench_end();
}
