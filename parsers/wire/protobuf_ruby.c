/*
 * protobuf_ruby.c - reads what protoc writes for Ruby, line by line.
 *
 * Not Ruby: the statements that generated files are made of. Blocks are known by their first word
 * (module, class, begin) or by a last word "do", and end with "end". Within messages and enums a
 * statement that is not known is an error; elsewhere, what has nothing to do with schemas is passed
 * over.
 */
#include <stdio.h>

#include "engine/base/utf8.h"
#include "parsers/wire/protobuf.h"

#define TOKENS_MAX 64u
#define BLOCKS_MAX 64u

enum token_kind { TOKEN_WORD, TOKEN_SYMBOL, TOKEN_STRING, TOKEN_NUMBER, TOKEN_MARK };

struct token {
    enum token_kind kind;
    slice text; /* of a string, what it stands for */
    uint32_t at;
};

enum block_kind {
    BLOCK_OTHER,
    BLOCK_MODULE,
    BLOCK_FILE, /* add_file: knows the syntax */
    BLOCK_MESSAGE,
    BLOCK_ENUM,
    BLOCK_ONEOF
};

struct block {
    enum block_kind kind;
    slice name; /* of a module or class: with those around it */
    struct protobuf_message *message;
    struct protobuf_enum *symbols;
    uint32_t oneof;
    bool proto2;
};

struct reader {
    struct protobuf_schema *schema;
    struct protobuf_error *error;
    slice in;
    uint32_t at, version;
    struct token token[TOKENS_MAX];
    uint32_t n; /* tokens of the statement */
    struct block block[BLOCKS_MAX];
    uint32_t depth;
    bool done; /* a descriptor was read: the rest only makes classes of it */
};

static bool fail(struct reader *r, uint32_t at, const char *what, slice name)
{
    snprintf(r->error->text, sizeof(r->error->text), "%s%s%.*s", what, name.n > 0 ? " " : "",
             SLICE_FMT(name));
    r->error->at = at;
    return false;
}

/* ---- tokens -----------------------------------------------------------------------------------
 */

static char peek(const struct reader *r, uint32_t ahead)
{
    return r->at + ahead < r->in.n ? r->in.p[r->at + ahead] : 0;
}

static bool is_digit(char ch)
{
    return ch >= '0' && ch <= '9';
}

static bool is_word(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' || is_digit(ch);
}

static uint32_t digit_of(char ch)
{
    if (is_digit(ch)) return (uint32_t)(ch - '0');
    char low = (char)(ch | 32);
    return low >= 'a' && low <= 'f' ? (uint32_t)(low - 'a') + 10 : 16;
}

/* Up to `max` digits behind the place. */
static uint32_t digits(struct reader *r, uint32_t base, uint32_t max)
{
    uint32_t num = 0;
    for (uint32_t i = 0; i < max && digit_of(peek(r, 0)) < base; i++)
        num = num * base + digit_of(r->in.p[r->at++]);
    return num;
}

/* Behind the backslash, in double quotes. */
static uint32_t escape(struct reader *r, char out[4])
{
    static const char from[] = "abefnrstv", to[] = "\a\b\033\f\n\r \t\v";
    char ch = peek(r, 0);
    if (ch == 'u') {
        r->at++;
        return utf8_encode(digits(r, 16, 4), out);
    }
    if (ch == 'x') {
        r->at++;
        out[0] = (char)digits(r, 16, 2);
    } else if (ch >= '0' && ch <= '7') {
        out[0] = (char)digits(r, 8, 3);
    } else {
        const char *known = ch == 0 ? NULL : strchr(from, ch);
        out[0] = known != NULL ? to[known - from] : ch;
        r->at++;
    }
    return 1;
}

static bool read_string(struct reader *r, char quote, slice *out)
{
    uint32_t begin = r->at++, n = 0;
    /* Escapes are longer than what they stand for. */
    int64_t rest = (int64_t)r->in.n - begin;
    uint32_t end = r->at;
    while (end < r->in.n && r->in.p[end] != quote) end += r->in.p[end] == '\\' ? 2 : 1;
    if (end >= r->in.n || rest <= 0) return fail(r, begin, "a string does not end", SLICE(""));
    char *to = arena_alloc(r->schema->arena, (size_t)(end - begin) + 4, 1);
    while (r->at < end) {
        char ch = r->in.p[r->at++];
        if (ch != '\\') {
            to[n++] = ch;
        } else if (quote == '"') {
            n += escape(r, to + n);
        } else {
            if (peek(r, 0) != quote && peek(r, 0) != '\\') to[n++] = ch;
            to[n++] = r->in.p[r->at++];
        }
    }
    r->at = end + 1;
    *out = slice_make(to, n);
    return true;
}

static void read_word(struct reader *r)
{
    while (is_word(peek(r, 0)) || (peek(r, 0) == ':' && peek(r, 1) == ':'))
        r->at += peek(r, 0) == ':' ? 2 : 1;
    if (peek(r, 0) == '!' || peek(r, 0) == '?') r->at++;
}

static bool read_token(struct reader *r, struct token *t)
{
    char ch = peek(r, 0);
    uint32_t begin = t->at = r->at;
    t->kind = TOKEN_MARK;
    if (ch == '"' || ch == '\'') {
        t->kind = TOKEN_STRING;
        return read_string(r, ch, &t->text);
    }
    if (ch == ':' && is_word(peek(r, 1))) {
        t->kind = TOKEN_SYMBOL;
        begin = ++r->at;
        read_word(r);
    } else if (ch == ':' && peek(r, 1) == '"') {
        t->kind = TOKEN_SYMBOL;
        r->at++;
        return read_string(r, '"', &t->text);
    } else if (is_digit(ch) || (ch == '-' && is_digit(peek(r, 1)))) {
        t->kind = TOKEN_NUMBER;
        r->at++;
        while (is_word(peek(r, 0)) || (peek(r, 0) == '.' && is_digit(peek(r, 1)))) r->at++;
    } else if (is_word(ch) || (ch == ':' && peek(r, 1) == ':')) {
        t->kind = TOKEN_WORD;
        read_word(r);
    } else {
        r->at++;
    }
    t->text = slice_part(r->in, begin, r->at - begin);
    return true;
}

/* The tokens up to the end of a line, or a semicolon. False at the end, or after an error. */
static bool read_statement(struct reader *r)
{
    r->n = 0;
    while (r->at < r->in.n) {
        char ch = peek(r, 0);
        if (ch == '#') {
            while (r->at < r->in.n && r->in.p[r->at] != '\n') r->at++;
        } else if (ch == '\n' || ch == ';') {
            r->at++;
            if (r->n > 0) return true;
        } else if (ch == ' ' || ch == '\t' || ch == '\r') {
            r->at++;
        } else {
            /* What is longer is none of the statements that count. */
            struct token extra;
            if (!read_token(r, r->n < TOKENS_MAX ? &r->token[r->n] : &extra)) return false;
            if (r->n < TOKENS_MAX) r->n++;
        }
    }
    return r->n > 0;
}

/* ---- statements -------------------------------------------------------------------------------
 */

static bool is(const struct reader *r, uint32_t at, const char *text)
{
    return at < r->n && r->token[at].kind != TOKEN_STRING &&
           slice_equal(r->token[at].text, slice_from_cstr(text));
}

static bool is_kind(const struct reader *r, uint32_t at, enum token_kind kind)
{
    return at < r->n && r->token[at].kind == kind;
}

static struct block *top(struct reader *r)
{
    return &r->block[r->depth];
}

/* The words of a path without the colons in front. */
static slice path_of(slice text)
{
    return slice_starts(text, SLICE("::")) ? slice_from(text, 2) : text;
}

static bool block_open(struct reader *r, struct block block)
{
    if (r->depth + 1 == BLOCKS_MAX)
        return fail(r, r->token[0].at, "blocks are nested too deep", SLICE(""));
    block.proto2 = block.proto2 || top(r)->proto2;
    r->block[++r->depth] = block;
    return true;
}

static bool read_int(struct reader *r, uint32_t at, int64_t min, int64_t max, int64_t *out)
{
    if (is_kind(r, at, TOKEN_NUMBER) && slice_to_i64(r->token[at].text, out) && *out >= min &&
        *out <= max)
        return true;
    return fail(r, r->token[at < r->n ? at : 0].at, "there is no such number here", SLICE(""));
}

static uint8_t type_of(slice name)
{
    static const char *const names[] = {"",         "double",   "float",   "int64",  "uint64",
                                        "int32",    "fixed64",  "fixed32", "bool",   "string",
                                        "group",    "message",  "bytes",   "uint32", "enum",
                                        "sfixed32", "sfixed64", "sint32",  "sint64"};
    for (uint8_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_equal(name, slice_from_cstr(names[i]))) return i;
    return 0;
}

/* :packed => true, packed: true and the like, from token `at` on. */
static bool option_is_true(const struct reader *r, const char *name, uint32_t at)
{
    for (; at < r->n; at++) {
        if (!is(r, at, name)) continue;
        for (uint32_t k = at + 1; k < r->n && k < at + 4; k++)
            if (is(r, k, "true")) return true;
    }
    return false;
}

static bool is_packable(uint8_t type)
{
    return type != PROTOBUF_STRING && type != PROTOBUF_BYTES && type != PROTOBUF_MESSAGE &&
           type != PROTOBUF_GROUP;
}

static struct protobuf_field *field_new(struct reader *r, slice name, uint32_t number_at)
{
    int64_t number;
    if (!read_int(r, number_at, 1, (1 << 29) - 1, &number)) return NULL;
    struct protobuf_field *f = protobuf_field_add(r->schema, top(r)->message, name);
    if (f == NULL) {
        fail(r, r->token[0].at, "a message has too many fields", SLICE(""));
        return NULL;
    }
    f->number = (uint32_t)number;
    f->oneof = top(r)->oneof;
    f->typed = true;
    return f;
}

/* optional :name, :type, 1 [, "a.Message"] */
static bool read_field3(struct reader *r)
{
    struct block *b = top(r);
    if (!is_kind(r, 1, TOKEN_SYMBOL) || !is_kind(r, 3, TOKEN_SYMBOL))
        return fail(r, r->token[0].at, "this is no field", SLICE(""));
    uint8_t type = type_of(r->token[3].text);
    if (type == 0 || type == PROTOBUF_GROUP)
        return fail(r, r->token[3].at, "there is no type", r->token[3].text);
    struct protobuf_field *f = field_new(r, r->token[1].text, 5);
    if (f == NULL) return false;
    f->type = type;
    f->repeated = is(r, 0, "repeated");
    f->required = is(r, 0, "required");
    f->packed = f->repeated && is_packable(type) && (!b->proto2 || option_is_true(r, "packed", 6));
    f->present =
        b->proto2 || b->oneof > 0 || is(r, 0, "proto3_optional") || type == PROTOBUF_MESSAGE;
    if (type != PROTOBUF_MESSAGE && type != PROTOBUF_ENUM) return true;
    if (!is_kind(r, 7, TOKEN_STRING))
        return fail(r, r->token[0].at, "the field's type has no name", SLICE(""));
    f->type_name = r->token[7].text;
    return true;
}

/* map :name, :string, :message, 3, "a.Message" */
static bool read_map(struct reader *r)
{
    struct protobuf_schema *s = r->schema;
    uint8_t key = is_kind(r, 3, TOKEN_SYMBOL) ? type_of(r->token[3].text) : 0;
    uint8_t val = is_kind(r, 5, TOKEN_SYMBOL) ? type_of(r->token[5].text) : 0;
    if (!is_kind(r, 1, TOKEN_SYMBOL) || key == 0 || val == 0 || val == PROTOBUF_GROUP)
        return fail(r, r->token[0].at, "this is no map", SLICE(""));
    bool named = val == PROTOBUF_MESSAGE || val == PROTOBUF_ENUM;
    if (named && !is_kind(r, 9, TOKEN_STRING))
        return fail(r, r->token[0].at, "the map's type has no name", SLICE(""));
    struct protobuf_field *f = field_new(r, r->token[1].text, 7);
    if (f == NULL) return false;
    slice name = arena_join(s->arena, top(r)->message->name, SLICE(" "));
    struct protobuf_message *entry =
        protobuf_message_make(s, arena_join(s->arena, name, r->token[1].text));
    entry->is_entry = entry->defined = entry->proto3 = true;
    f->type = PROTOBUF_MESSAGE;
    f->repeated = true;
    f->type_name = entry->name;
    struct protobuf_field *k = protobuf_field_add(s, entry, SLICE("key"));
    struct protobuf_field *v = protobuf_field_add(s, entry, SLICE("value"));
    if (k == NULL || v == NULL) return fail(r, r->token[0].at, "a map twice", SLICE(""));
    entry->field[0].number = 1;
    entry->field[0].type = key;
    entry->field[1].number = 2;
    entry->field[1].type = val;
    entry->field[0].typed = entry->field[1].typed = true;
    if (named) entry->field[1].type_name = r->token[9].text;
    return true;
}

/* optional :type, :name, 1 [, :packed => true], or a class in place of the type */
static bool read_field2(struct reader *r)
{
    bool classed = is_kind(r, 1, TOKEN_WORD);
    uint8_t type = is_kind(r, 1, TOKEN_SYMBOL) ? type_of(r->token[1].text) : 0;
    if ((!classed && type == 0) || !is_kind(r, 3, TOKEN_SYMBOL))
        return fail(r, r->token[0].at, "this is no field", SLICE(""));
    if (type == PROTOBUF_GROUP || type == PROTOBUF_MESSAGE || type == PROTOBUF_ENUM)
        return fail(r, r->token[1].at, "there is no type", r->token[1].text);
    struct protobuf_field *f = field_new(r, r->token[3].text, 5);
    if (f == NULL) return false;
    f->type = type;
    f->typed = !classed;
    f->repeated = is(r, 0, "repeated");
    f->required = is(r, 0, "required");
    f->present = !f->repeated;
    f->packed = f->repeated && option_is_true(r, "packed", 6);
    if (classed) f->type_name = path_of(r->token[1].text);
    return true;
}

static bool is_field(const struct reader *r)
{
    return is(r, 0, "optional") || is(r, 0, "repeated") || is(r, 0, "required") ||
           is(r, 0, "proto3_optional");
}

static bool read_symbol(struct reader *r, slice name, uint32_t number_at)
{
    int64_t number;
    if (!read_int(r, number_at, INT32_MIN, INT32_MAX, &number)) return false;
    protobuf_symbol_add(r->schema, top(r)->symbols, name, (int32_t)number);
    return true;
}

/* Within a message of version 3. */
static bool in_message3(struct reader *r)
{
    struct block *b = top(r);
    if (is_field(r)) return read_field3(r);
    if (is(r, 0, "map")) return read_map(r);
    if (!is(r, 0, "oneof") || !is_kind(r, 1, TOKEN_SYMBOL) || b->kind == BLOCK_ONEOF)
        return fail(r, r->token[0].at, "this is not understood:", r->token[0].text);
    struct block oneof = {.kind = BLOCK_ONEOF, .message = b->message};
    oneof.oneof = protobuf_oneof_add(r->schema, b->message, r->token[1].text);
    return block_open(r, oneof);
}

static bool open_message3(struct reader *r)
{
    if (!is_kind(r, 1, TOKEN_STRING)) return fail(r, r->token[0].at, "there is no name", SLICE(""));
    struct block b = {.kind = BLOCK_MESSAGE};
    bool message = is(r, 0, "add_message");
    if (message) {
        b.message = protobuf_message_make(r->schema, r->token[1].text);
        if (b.message->defined)
            return fail(r, r->token[1].at, "there are two messages", r->token[1].text);
        b.message->defined = true;
        b.message->proto3 = !top(r)->proto2;
    } else {
        b.kind = BLOCK_ENUM;
        b.symbols = protobuf_enum_make(r->schema, r->token[1].text);
    }
    return block_open(r, b);
}

static bool read_descriptor(struct reader *r, const struct token *t)
{
    struct protobuf_error error;
    r->done = true;
    if (protobuf_descriptor_read(r->schema, t->text, &error) == ERR_OK) return true;
    return fail(r, t->at, error.text, SLICE(""));
}

/* Outside of messages. */
static bool at_large3(struct reader *r)
{
    if (is(r, 0, "add_message") || is(r, 0, "add_enum")) return open_message3(r);
    if (is(r, 0, "add_file")) {
        struct block b = {.kind = BLOCK_FILE};
        for (uint32_t i = 1; i < r->n; i++) b.proto2 = b.proto2 || is(r, i, "proto2");
        return block_open(r, b);
    }
    for (uint32_t i = 0; i + 1 < r->n; i++) {
        if (is(r, i, "descriptor_data") && is(r, i + 1, "=") && is_kind(r, i + 2, TOKEN_STRING))
            return read_descriptor(r, &r->token[i + 2]);
        if (is(r, i, "add_serialized_file") && is_kind(r, i + 2, TOKEN_STRING))
            return read_descriptor(r, &r->token[i + 2]);
    }
    return true;
}

/* ---- version 2: classes -----------------------------------------------------------------------
 */

static bool open_class(struct reader *r)
{
    if (!is_kind(r, 1, TOKEN_WORD)) return fail(r, r->token[0].at, "there is no name", SLICE(""));
    struct arena *arena = r->schema->arena;
    struct block *around = top(r);
    struct block b = {.kind = BLOCK_MODULE, .name = path_of(r->token[1].text)};
    if (around->name.n > 0)
        b.name = arena_join(arena, arena_join(arena, around->name, SLICE("::")), b.name);
    bool message = false;
    for (uint32_t i = 2; i < r->n; i++)
        message = message || is(r, i, "::ProtocolBuffers::Message") ||
                  is(r, i, "ProtocolBuffers::Message");
    if (message) {
        b.kind = BLOCK_MESSAGE;
        b.message = protobuf_message_make(r->schema, b.name);
        b.message->defined = true;
    }
    return block_open(r, b);
}

static bool opens_other(const struct reader *r)
{
    static const char *const words[] = {"module", "class", "begin", "def", "if", "unless", "case"};
    for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (is(r, 0, words[i])) return true;
    return is(r, r->n - 1, "do") || is(r, r->n - 1, "|") || is(r, r->n - 1, "{");
}

static bool other(struct reader *r)
{
    return !opens_other(r) || block_open(r, (struct block){.kind = BLOCK_OTHER});
}

static bool in_message2(struct reader *r)
{
    static const char *const harmless[] = {"set_fully_qualified_name", "gen_methods!", "defined_in",
                                           "set_fields"};
    if (is_field(r)) return read_field2(r);
    for (uint32_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (is(r, 0, harmless[i])) return true;
    return fail(r, r->token[0].at, "this is not understood:", r->token[0].text);
}

static bool statement2(struct reader *r)
{
    struct block *b = top(r);
    if (is(r, 0, "class") || is(r, 0, "module")) return open_class(r);
    if (b->kind == BLOCK_MESSAGE) return in_message2(r);
    if (b->kind == BLOCK_ENUM) {
        if (is(r, 1, "=")) return read_symbol(r, r->token[0].text, 2);
        return is(r, 0, "set_fully_qualified_name") ||
               fail(r, r->token[0].at, "this is not understood:", r->token[0].text);
    }
    if (b->kind != BLOCK_MODULE || !is(r, 0, "include") ||
        !slice_equal(path_of(r->token[r->n - 1].text), SLICE("ProtocolBuffers::Enum")))
        return other(r);
    b->kind = BLOCK_ENUM;
    b->symbols = protobuf_enum_make(r->schema, b->name);
    return true;
}

static bool statement3(struct reader *r)
{
    struct block *b = top(r);
    uint32_t depth = r->depth;
    if (b->kind == BLOCK_MESSAGE || b->kind == BLOCK_ONEOF) return in_message3(r);
    if (b->kind == BLOCK_ENUM) {
        if (is(r, 0, "value") && is_kind(r, 1, TOKEN_SYMBOL))
            return read_symbol(r, r->token[1].text, 3);
        return fail(r, r->token[0].at, "this is not understood:", r->token[0].text);
    }
    if (!at_large3(r)) return false;
    return r->depth > depth || other(r);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static bool statement(struct reader *r)
{
    if (is(r, 0, "require") && is_kind(r, 1, TOKEN_STRING)) {
        protobuf_require_add(r->schema, r->token[1].text);
        return true;
    }
    if (r->done) return true;
    if (is(r, 0, "end") || is(r, 0, "}")) {
        if (r->depth == 0) return fail(r, r->token[0].at, "an end without a beginning", SLICE(""));
        r->depth--;
        return true;
    }
    return r->version == 2 ? statement2(r) : statement3(r);
}

err protobuf_ruby_read(struct protobuf_schema *s, slice text, uint32_t version,
                       struct protobuf_error *error)
{
    struct reader r = {.schema = s, .error = error, .in = text, .version = version};
    error->text[0] = 0;
    error->at = 0;
    while (read_statement(&r))
        if (!statement(&r)) return ERR_SYNTAX;
    if (error->text[0] != 0) return ERR_SYNTAX;
    /* What follows a descriptor is not read closely enough to count its blocks. */
    if (r.depth > 0 && !r.done) {
        fail(&r, text.n, "an end is missing", SLICE(""));
        return ERR_SYNTAX;
    }
    return ERR_OK;
}
