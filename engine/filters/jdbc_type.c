/* jdbc_type.c - types of columns as Apache Derby writes them. */
#include <stdio.h>
#include <string.h>

#include "engine/filters/jdbc_local.h"

/* Derby's reference manual, "Data types". */
struct type_name {
    const char *name; /* words with one blank between them */
    enum local_kind kind;
    bool padded, binary;
    uint32_t numbers_max; /* that may stand in parentheses behind it */
};

/* Longer names stand before shorter ones that they begin with. */
static const struct type_name types[] = {
    {"smallint", LOCAL_INT, false, false, 0},
    {"integer", LOCAL_INT, false, false, 0},
    {"int", LOCAL_INT, false, false, 0},
    {"bigint", LOCAL_INT, false, false, 0},
    {"real", LOCAL_FLOAT, false, false, 0},
    {"double precision", LOCAL_FLOAT, false, false, 0},
    {"double", LOCAL_FLOAT, false, false, 0},
    {"float", LOCAL_FLOAT, false, false, 1},
    {"decimal", LOCAL_DECIMAL, false, false, 2},
    {"dec", LOCAL_DECIMAL, false, false, 2},
    {"numeric", LOCAL_DECIMAL, false, false, 2},
    {"boolean", LOCAL_BOOL, false, false, 0},
    {"date", LOCAL_DATE, false, false, 0},
    {"timestamp", LOCAL_TIMESTAMP, false, false, 0},
    {"time", LOCAL_TIME, false, false, 0},
    {"character large object", LOCAL_TEXT, false, false, 1},
    {"char large object", LOCAL_TEXT, false, false, 1},
    {"character varying", LOCAL_TEXT, false, false, 1},
    {"char varying", LOCAL_TEXT, false, false, 1},
    {"character", LOCAL_TEXT, true, false, 1},
    {"char", LOCAL_TEXT, true, false, 1},
    {"varchar", LOCAL_TEXT, false, false, 1},
    {"long varchar", LOCAL_TEXT, false, false, 0},
    {"clob", LOCAL_TEXT, false, false, 1},
    {"blob", LOCAL_ANY, false, true, 1},
    {"binary large object", LOCAL_ANY, false, true, 1},
};

/* In lower case, with one blank between words and none within parentheses. */
static bool tidy(slice in, char *out, uint32_t cap)
{
    uint32_t n = 0, depth = 0;
    in = slice_trim(in);
    for (uint32_t i = 0; i < in.n; i++) {
        char ch = in.p[i];
        bool blank = ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
        if (blank && (depth > 0 || n == 0 || out[n - 1] == ' ')) continue;
        if (n + 3 > cap) return false;
        if (ch == '(' && n > 0 && out[n - 1] == ' ') n--;
        if (ch == '(') depth++;
        if (ch == ')' && depth > 0) depth--;
        out[n++] = blank ? ' ' : (char)(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch);
        if (ch == ')') out[n++] = ' ';
    }
    while (n > 0 && out[n - 1] == ' ') n--;
    out[n] = 0;
    return true;
}

static const struct type_name *type_find(slice text)
{
    for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        slice name = slice_from_cstr(types[i].name);
        slice rest = slice_from(text, name.n);
        if (slice_starts(text, name) && (rest.n == 0 || rest.p[0] == ' ' || rest.p[0] == '('))
            return &types[i];
    }
    return NULL;
}

/* "(10,2)" and "(1m)"; the first number in *first. Returns the bytes used, -1: wrong. */
static int64_t numbers_read(slice text, uint32_t max, uint32_t *first)
{
    uint32_t n = 0, i = 0;
    if (text.n == 0 || text.p[0] != '(') return 0;
    do {
        uint64_t num = 0;
        uint32_t from = ++i;
        for (; i < text.n && i - from < 10 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
            num = num * 10 + (uint64_t)(text.p[i] - '0');
        if (i == from || ++n > max || num > INT32_MAX) return -1;
        if (n == 1) *first = (uint32_t)num;
        if (i < text.n && strchr("kmg", text.p[i]) != NULL) i++;
    } while (i < text.n && text.p[i] == ',');
    return i < text.n && text.p[i] == ')' ? (int64_t)i + 1 : -1;
}

/* What may stand behind a type. */
static bool constraint_read(slice text, struct local_column *out)
{
    static const char *const known[] = {
        "not null",
        "primary key",
        "unique",
        "not null primary key",
        "primary key not null",
        "not null unique",
        "unique not null",
    };
    out->constraint = NULL;
    if (text.n == 0) return true;
    for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_equal(text, slice_from_cstr(known[i]))) out->constraint = known[i];
    return out->constraint != NULL;
}

bool local_type_read(slice in, struct local_column *out, char *error)
{
    char space[200];
    uint32_t length = 1;
    slice text = SLICE_NONE;
    if (tidy(in, space, sizeof(space))) text = slice_from_cstr(space);
    const struct type_name *type = type_find(text);
    if (type == NULL) {
        snprintf(error, LOCAL_ERROR_BYTES, "`%.*s` is no type of a column", SLICE_FMT(in));
        return false;
    }
    slice rest = slice_from(text, (uint32_t)strlen(type->name));
    int64_t used = numbers_read(rest, type->numbers_max, &length);
    if (used >= 0) rest = slice_trim(slice_from(rest, (uint32_t)used));
    if (type->binary || slice_starts(rest, SLICE("for bit data"))) {
        snprintf(error, LOCAL_ERROR_BYTES, "`%.*s` is binary, which fields of events are not",
                 SLICE_FMT(in));
        return false;
    }
    out->kind = type->kind;
    out->padded_n = type->padded ? length : 0;
    if (used >= 0 && out->padded_n <= 254 && constraint_read(rest, out)) return true;
    snprintf(error, LOCAL_ERROR_BYTES, "`%.*s` of the type `%.*s` is not understood",
             SLICE_FMT(rest), SLICE_FMT(in));
    return false;
}
