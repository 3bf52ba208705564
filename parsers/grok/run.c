/* run.c - programs and searches at the level of this machine's CPU. */
#include "parsers/grok/program.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/grok/grok.h"
#include "parsers/grok/ops.h"

static const struct run_kernel *kernel = &run_sse42;

void grok_init(enum cpu_level level)
{
    /* Runs are short: with AVX-512, where comparing takes the way over a mask register, access logs
     * take 5 to 8 % longer. */
    kernel = level >= CPU_AVX2 ? &run_avx2 : &run_sse42;
}

struct program_scratch *program_scratch_new(void)
{
    struct program_scratch *scratch = calloc(1, sizeof(*scratch));
    ASSERT(scratch != NULL);
    return scratch;
}

void program_scratch_free(struct program_scratch *scratch)
{
    free(scratch);
}

enum program_status program_run(const struct program *program, struct program_scratch *scratch,
                                slice line, const struct need_literal *gate,
                                const struct regex_span **spans, uint32_t *from)
{
    return kernel->search(program, scratch, line, gate, spans, from);
}

bool program_gate_open(const struct need_literal *gate, slice line)
{
    return kernel->find(line, 0, slice_make(gate->bytes, gate->n)) != FIND_NONE;
}

bool line_is_ascii(slice line)
{
    return kernel->is_ascii(line);
}
