/* lexer.c - tokens of the configuration language. */
#include "engine/base/number.h"
#include "engine/base/utf8.h"
#include "engine/config/parser.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool lex_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool lex_is_name_char(char c)
{
    return is_letter(c) || is_digit(c) || c == '-';
}

void lex_skip(struct parser *p)
{
    while (!lex_end(p)) {
        char c = lex_peek(p);
        if (c == '#') {
            while (!lex_end(p) && lex_peek(p) != '\n') p->at++;
        } else if (!lex_is_blank(c)) {
            return;
        } else {
            p->at++;
        }
    }
}

bool lex_take(struct parser *p, const char *token)
{
    slice want = slice_from_cstr(token);
    if (!slice_starts(slice_from(p->text, p->at), want)) return false;
    p->at += want.n;
    return true;
}

slice lex_name(struct parser *p)
{
    uint32_t from = p->at;
    while (!lex_end(p) && lex_is_name_char(lex_peek(p))) p->at++;
    return slice_part(p->text, from, p->at - from);
}

bool lex_bareword(struct parser *p, slice *out)
{
    uint32_t to = p->at;
    while (to < p->text.n && (is_letter(p->text.p[to]) || is_digit(p->text.p[to]))) to++;
    if (!is_letter(lex_peek(p)) || to - p->at < 2) return false;
    *out = slice_part(p->text, p->at, to - p->at);
    p->at = to;
    return true;
}

/* Up to the next `quote` that has no backslash right before it. Logstash's grammar looks at
 * single pairs of bytes: in "a\\" the second backslash guards the quote, so the string goes on. */
static bool quoted_span(struct parser *p, char quote, slice *out)
{
    uint32_t at = p->at + 1;
    while (at < p->text.n && p->text.p[at] != quote) {
        bool guarded = p->text.p[at] == '\\' && at + 1 < p->text.n && p->text.p[at + 1] == quote;
        at += guarded ? 2 : 1;
    }
    if (at >= p->text.n) return false;
    *out = slice_part(p->text, p->at + 1, at - p->at - 1);
    p->at = at + 1;
    return true;
}

static slice unescape(struct heap *heap, slice raw)
{
    slice out = heap_dup(heap, raw);
    char *to = (char *)(uintptr_t)out.p;
    uint32_t n = 0;
    for (uint32_t i = 0; i < raw.n; i++) {
        char c = raw.p[i], next = i + 1 < raw.n ? raw.p[i + 1] : '\0';
        const char *found = c == '\\' && next != '\0' ? strchr("nrt0\\\"'", next) : NULL;
        if (found == NULL) {
            to[n++] = c;
            continue;
        }
        to[n++] = "\n\r\t\0\\\"'"[found - "nrt0\\\"'"];
        i++;
    }
    to[n] = '\0';
    return slice_make(to, n);
}

bool lex_string(struct parser *p, struct config_value *out)
{
    char quote = lex_peek(p);
    if (lex_end(p) || (quote != '"' && quote != '\'')) return false;
    *out = (struct config_value){.type = CONFIG_STRING, .pos = lex_pos(p)};
    slice raw;
    if (!quoted_span(p, quote, &raw))
        return config_parse_fail(p, SYNTAX_TOKEN,
                                 "a closing quote for the string that starts here");
    if (slice_find_byte(raw, '\n') >= 0) {
        p->long_from = out->pos.at;
        p->long_to = p->at;
    }
    out->text = p->options.support_escapes ? unescape(p->heap, raw) : heap_dup(p->heap, raw);
    return true;
}

/* Ruby's Integer("010") is octal, so that is what Logstash makes of a leading zero. */
static bool octal_value(struct parser *p, slice digits, bool minus, struct config_value *out)
{
    int64_t num = 0;
    for (uint32_t i = 0; i < digits.n; i++) {
        if (digits.p[i] > '7' || num > INT64_MAX / 16) {
            diag_error(p->diag, out->pos, "a number without a leading zero",
                       "'%.*s' is not a valid number: a leading zero makes it octal",
                       SLICE_FMT(digits));
            return true;
        }
        num = num * 8 + (digits.p[i] - '0');
    }
    out->u.num = minus ? -num : num;
    out->text = heap_printf(p->heap, "%lld", (long long)out->u.num);
    slice plain = digits;
    while (plain.n > 1 && plain.p[0] == '0') plain = slice_from(plain, 1);
    char fix[80];
    snprintf(fix, sizeof(fix), "write %.*s, or %s%.*s if that is meant", SLICE_FMT(out->text),
             minus ? "-" : "", SLICE_FMT(plain));
    diag_lint(p->diag, out->pos, "octal-number", fix,
              "'%.*s' is read as the octal number %.*s, as in Logstash", SLICE_FMT(digits),
              SLICE_FMT(out->text));
    return true;
}

bool lex_number(struct parser *p, struct config_value *out)
{
    uint32_t from = p->at, at = p->at;
    const char *text = p->text.p;
    bool minus = lex_peek(p) == '-' && !lex_end(p);
    if (minus) at++;
    uint32_t digits = at;
    while (at < p->text.n && is_digit(text[at])) at++;
    if (at == digits) return false;
    slice whole = slice_part(p->text, digits, at - digits);
    bool is_float = at < p->text.n && text[at] == '.';
    if (is_float) at++;
    while (is_float && at < p->text.n && is_digit(text[at])) at++;

    *out = (struct config_value){.type = is_float ? CONFIG_FLOAT : CONFIG_INT, .pos = lex_pos(p)};
    slice span = slice_part(p->text, from, at - from);
    out->text = heap_dup(p->heap, span);
    p->at = at;
    if (is_float) {
        if (slice_ends(span, SLICE("."))) span.n--;
        char shown[NUMBER_TEXT_MAX];
        if (!number_f64_parse(span, &out->u.real)) out->u.real = 0;
        /* Where text is asked for, it is the number's: 1.50 is 1.5. */
        out->text = heap_dup(p->heap, slice_make(shown, number_f64_ruby(out->u.real, shown)));
        return true;
    }
    if (slice_equal(span, SLICE("-0"))) out->text = SLICE("0");
    if (whole.n > 1 && whole.p[0] == '0') return octal_value(p, whole, minus, out);
    if (!slice_to_i64(span, &out->u.num)) {
        out->u.num = minus ? INT64_MIN : INT64_MAX;
        out->flags |= CONFIG_BIG;
    }
    return true;
}

bool lex_regex(struct parser *p, struct config_value *out)
{
    if (lex_end(p) || lex_peek(p) != '/') return false;
    *out = (struct config_value){.type = CONFIG_REGEX, .pos = lex_pos(p)};
    slice raw;
    if (!quoted_span(p, '/', &raw))
        return config_parse_fail(p, SYNTAX_TOKEN, "a closing '/' for the regular expression");
    out->text = heap_dup(p->heap, raw);
    return true;
}

/* ("[" [^\]\[,]+ "]")+ : so ["one"] is a selector too, however much it looks like a list. */
bool lex_selector(struct parser *p, struct config_value *out)
{
    uint32_t from = p->at, at = p->at;
    const char *text = p->text.p;
    for (;;) {
        uint32_t to = at;
        if (to >= p->text.n || text[to] != '[') break;
        to++;
        uint32_t name = to;
        while (to < p->text.n && text[to] != ']' && text[to] != '[' && text[to] != ',') to++;
        if (to >= p->text.n || text[to] != ']' || to == name) break;
        at = to + 1;
    }
    if (at == from) return false;
    *out = (struct config_value){.type = CONFIG_SELECTOR, .pos = lex_pos(p)};
    out->text = heap_dup(p->heap, slice_part(p->text, from, at - from));
    p->at = at;
    return true;
}

bool parse_enter(struct parser *p)
{
    if (p->failed) return false;
    if (p->depth >= AST_DEPTH_MAX) {
        diag_error(p->diag, lex_pos(p), NULL, "nested deeper than %u levels", AST_DEPTH_MAX);
        p->failed = true;
        return false;
    }
    p->depth++;
    return true;
}

void parse_leave(struct parser *p)
{
    p->depth--;
}
