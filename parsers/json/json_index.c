/* json_index.c - scalar truth and choice of the JSON index. */
#include "parsers/json/json_index.h"

#include "engine/base/assert.h"
#include "parsers/json/json_index_bits.h"
#include "parsers/json/json_index_kernel.h"

static void classify_scalar(const char *p, uint32_t n, struct json_classes *c)
{
    *c = (struct json_classes){0};
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bit = 1ull << i;
        unsigned char byte = (unsigned char)p[i];
        switch (byte) {
        case '"': c->quote |= bit; break;
        case '\\': c->backslash |= bit; break;
        case '{':
        case '}':
        case '[':
        case ']':
        case ':':
        case ',': c->op |= bit; break;
        case ' ':
        case '\t':
        case '\r': c->space |= bit; break;
        case '\n':
            c->space |= bit;
            c->newline |= bit;
            break;
        default: break;
        }
        if (byte < 0x20) c->control |= bit;
        if (byte > 0x7f) c->high |= bit;
    }
}

static void emit_scalar(uint64_t tokens, const char *p, uint32_t base, struct json_index *index)
{
    for (; tokens != 0; tokens &= tokens - 1) {
        uint32_t offset = (uint32_t)__builtin_ctzll(tokens);
        index->token[index->n] = (uint8_t)p[offset];
        index->position[index->n++] = base + offset;
    }
}

static uint32_t index_scalar(const char *text, uint32_t from, uint32_t to, bool lines,
                             struct json_scan *scan, struct json_index *index)
{
    while (from < to) {
        struct json_classes classes;
        uint32_t n = to - from < 64 ? to - from : 64;
        uint64_t broken, valid = n == 64 ? ~0ull : (1ull << n) - 1;
        classify_scalar(text + from, n, &classes);
        uint64_t tokens =
            json_tokens(&classes, valid, lines ? ~0ull : 0, scan, json_prefix_xor, &broken);
        uint32_t offset = n - 1;
        if (broken != 0) tokens = json_break(tokens, broken, scan, &offset);
        emit_scalar(tokens, text + from, from, index);
        from += offset + 1;
        if (broken != 0) break;
    }
    return from;
}

uint32_t (*json_index)(const char *text, uint32_t from, uint32_t to, bool lines,
                       struct json_scan *scan, struct json_index *index) = index_scalar;

void json_index_init(enum cpu_level level)
{
    static const struct json_index_kernel scalar = {index_scalar};
    static const struct json_index_kernel *const kernels[] = {&scalar, &json_index_sse42,
                                                              &json_index_avx2, &json_index_avx512};
    ASSERT(level < ARRAY_LEN(kernels));
    json_index = kernels[level]->index;
}
