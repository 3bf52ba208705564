/*
 * fuzz_agent_rules.c - a rule file, and after a NUL byte a header to try it on: what is read can be
 * applied, and what comes out is text.
 */
#include <stdint.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "engine/plan/agent_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void part_check(const struct agent_part *part)
{
    ASSERT(utf8_valid(part->family));
    for (uint32_t i = 0; i < AGENT_VERSIONS; i++) ASSERT(utf8_valid(part->version[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char reason[AGENT_ERROR_BYTES] = "";
    slice text = slice_make((const char *)data, n);
    if (n > 16384) return 0;
    int64_t end = slice_find_byte(text, '\0');
    slice header = end < 0 ? SLICE("Alpha/1.2") : slice_from(text, (uint32_t)end + 1);
    if (end >= 0) text.n = (uint32_t)end;
    if (!utf8_valid(header)) return 0;
    struct agent_rules *rules = agent_rules_read(text, NULL, reason);
    ASSERT(rules != NULL || reason[0] != '\0');
    if (rules == NULL) return 0;
    struct agent_scratch *scratch = agent_scratch_new(rules);
    struct page_pool pool;
    struct arena arena;
    struct agent agent;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    agent_parse(rules, scratch, header, &arena, &agent);
    part_check(&agent.browser);
    part_check(&agent.system);
    ASSERT(agent.device.p != NULL && utf8_valid(agent.device));
    arena_fini(&arena);
    page_pool_fini(&pool);
    agent_scratch_free(scratch);
    agent_rules_free(rules);
    return 0;
}
