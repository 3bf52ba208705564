/*
 * syntax.c - what a syntax error says: what stands there, what was expected, how to put it right.
 *
 * The advice covers what people write instead: other languages' operators and comments, commas,
 * templates that were not rendered, characters that an editor or a web page made.
 */
#include <stdio.h>

#include "engine/base/utf8.h"
#include "engine/config/parser.h"

#define BRACES_MAX 256u

static slice rest_of(const struct parser *p)
{
    return slice_from(p->text, p->at);
}

static bool starts(slice s, const char *text)
{
    return slice_starts(s, slice_from_cstr(text));
}

static slice name_at(slice s)
{
    uint32_t n = 0;
    while (n < s.n && lex_is_name_char(s.p[n])) n++;
    return slice_part(s, 0, n);
}

/* ---- braces ----------------------------------------------------------------------------- */

static uint32_t skip_quoted(slice text, uint32_t at)
{
    char quote = text.p[at++];
    while (at < text.n && text.p[at] != quote) at += text.p[at] == '\\' ? 2 : 1;
    return at;
}

/* Whether the slash at `at` begins an expression: only =~ and !~ stand before one. */
static bool is_regex(slice text, uint32_t at)
{
    while (at > 0 && lex_is_blank(text.p[at - 1])) at--;
    return at > 0 && text.p[at - 1] == '~';
}

/* The innermost brace before `until` that is not closed there; false when all are. */
static bool open_brace(slice text, uint32_t until, uint32_t *out)
{
    uint32_t stack[BRACES_MAX], n = 0;
    for (uint32_t i = 0; i < until && i < text.n; i++) {
        char c = text.p[i];
        if (c == '#') {
            while (i < text.n && text.p[i] != '\n') i++;
        } else if (c == '"' || c == '\'' || (c == '/' && is_regex(text, i))) {
            i = skip_quoted(text, i);
        } else if (c == '{' && n < BRACES_MAX) {
            stack[n++] = i;
        } else if (c == '}' && n > 0) {
            n--;
        }
    }
    if (n == 0) return false;
    *out = stack[n - 1];
    return true;
}

/* The word in front of a brace, for "the { of stdin". */
static slice owner_of(slice text, uint32_t brace)
{
    uint32_t to = brace;
    while (to > 0 && lex_is_blank(text.p[to - 1])) to--;
    uint32_t from = to;
    while (from > 0 && lex_is_name_char(text.p[from - 1])) from--;
    return slice_part(text, from, to - from);
}

/* ---- advice ----------------------------------------------------------------------------- */

/* Whatever was expected, these are never right. */
static const struct foreign {
    const char *text, *fix;
} foreign[] = {
    {"\xEF\xBB\xBF", "there is an invisible byte order mark (U+FEFF) here: save the file as UTF-8 "
                     "without BOM"},
    {"\xE2\x80\x9C", "this is a typographic quote: write \" or '"},
    {"\xE2\x80\x9D", "this is a typographic quote: write \" or '"},
    {"\xE2\x80\x9E", "this is a typographic quote: write \" or '"},
    {"\xE2\x80\x98", "this is a typographic quote: write \" or '"},
    {"\xE2\x80\x99", "this is a typographic quote: write \" or '"},
    {"\xC2\xAB", "this is a typographic quote: write \" or '"},
    {"\xC2\xA0", "there is a no-break space here, which looks like a blank: replace it by one"},
    {"\xE2\x80\x8B", "there is an invisible zero-width space here: remove it"},
    {"<%", "this is an ERB template that was not rendered: use the file that it is to become"},
    {"{{", "this is a template that was not rendered: use the file that it is to become"},
    {"{%", "this is a template that was not rendered: use the file that it is to become"},
    {"//", "comments begin with #"},
    {"/*", "comments begin with #, on every line"},
    {";", "remove the ';': white space is enough between two things"},
};

static const char *advice_foreign(const struct parser *p)
{
    slice here = rest_of(p), before = p->at > 0 ? slice_from(p->text, p->at - 1) : here;
    if (here.n > 0 && here.p[0] == '\0') return "there is a NUL byte here: remove it";
    for (uint32_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        if (starts(here, foreign[i].text)) return foreign[i].fix;
    /* The first brace of {{ was taken for a hash. */
    return starts(before, "{{") || starts(before, "{%") ? foreign[10].fix : NULL;
}

static const char *advice_arrow(slice here)
{
    if (starts(here, "=>")) return NULL;
    if (starts(here, "}")) return "every option has a value: write name => value";
    if (starts(here, "=")) return "write => (and == only in conditions)";
    if (starts(here, ":") || starts(here, ">=") || starts(here, "->")) return "write =>";
    return NULL;
}

static const char *advice_condition(slice here)
{
    static const struct foreign table[] = {
        {"&&", "write and"},
        {"||", "write or"},
        {"===", "write =="},
        {"=~", "write the expression between slashes: =~ /.../"},
        {"==", "write != or !(...): ! negates a field or parentheses, not a comparison"},
        {"!=", "write !(...) around the comparison"},
        {"=", "write == to compare"},
        {"&", "write and"},
        {"|", "write or"},
        {".", "write nested fields as [outer][inner]"},
        {"is ", "write =="},
        {"contains ", "write \"text\" in [field]"},
        {"matches ", "write =~ /.../"},
        {"eq ", "write =="},
        {"not in", "write `not in` with one blank, and a field or list behind it"},
    };
    for (uint32_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (starts(here, table[i].text)) return table[i].fix;
    return NULL;
}

static const char *advice_operand(slice here, char *out, size_t cap)
{
    slice word = name_at(here);
    if (slice_equal(word, SLICE("true")) || slice_equal(word, SLICE("false")) ||
        slice_equal(word, SLICE("nil")) || slice_equal(word, SLICE("null")))
        return "conditions have no such constant: write if [field], or if ![field]";
    if (slice_equal(word, SLICE("not"))) return "write ![field], or !(...) around a comparison";
    if (starts(here, "=")) return "write == to compare";
    if (starts(here, "{")) return "complete the condition before its block begins";
    if (starts(here, "%{")) return "a condition takes the field itself: write [field]";
    if (starts(here, "$")) return "write a variable as a whole text: \"${NAME}\"";
    if (word.n == 0 || word.n > 60) return NULL;
    snprintf(out, cap, "write [%.*s] for the field, \"%.*s\" for the text", SLICE_FMT(word),
             SLICE_FMT(word));
    return out;
}

static const char *advice_value(const struct parser *p, char *out, size_t cap)
{
    slice here = rest_of(p), word = name_at(here);
    if (starts(here, "]") && p->at > 0) return "remove the comma before ]";
    if (starts(here, "}"))
        return "write a value, such as \"text\", behind the =>, or remove the option";
    if (starts(here, "${")) return "put the variable into quotes: \"${NAME}\"";
    if (starts(here, "/")) return "put the text into quotes; /.../ is for conditions only";
    if (word.n == 0 || word.n > 60) return "put the text into quotes";
    snprintf(out, cap, "put the text into quotes: \"%.*s\"", SLICE_FMT(word));
    return out;
}

static bool is_section_word(slice word)
{
    return slice_equal(word, SLICE("input")) || slice_equal(word, SLICE("filter")) ||
           slice_equal(word, SLICE("output"));
}

/* The option's name was a section, or a plugin inside a plugin: a brace is missing before it. */
static const char *advice_brace(const struct parser *p, char *out, size_t cap)
{
    uint32_t brace;
    if (!starts(rest_of(p), "{") || !open_brace(p->text, p->at, &brace)) return NULL;
    slice word = owner_of(p->text, p->at), owner = owner_of(p->text, brace);
    snprintf(out, cap, "close the { of %.*s in line %u before %s%.*s begins",
             SLICE_FMT(owner.n == 0 ? SLICE("the block") : owner),
             pos_place(pos_make(p->source, brace)).line,
             is_section_word(word) ? "the section " : "", SLICE_FMT(word));
    return out;
}

static const char *advice_section(slice here, bool first)
{
    if (starts(here, "}")) return "remove this }: everything before it is closed already";
    if (starts(here, "{")) return "this looks like JSON; write input { ... } and output { ... }";
    if (first && starts(here, "-"))
        return "this looks like pipelines.yml, which is read from the folder of --path.settings";
    return "plugins stand inside input { ... }, filter { ... } and output { ... }";
}

static const char *advice_plugin(const struct parser *p, char *out, size_t cap)
{
    uint32_t to = p->at;
    while (to > 0 && lex_is_blank(p->text.p[to - 1])) to--;
    uint32_t from = to;
    while (from > 0 && lex_is_name_char(p->text.p[from - 1])) from--;
    slice word = slice_part(p->text, from, to - from);
    snprintf(out, cap, "write %.*s { }, even without options", SLICE_FMT(word));
    return out;
}

static const char *advice_statement(const struct parser *p, char *out, size_t cap)
{
    slice here = rest_of(p), word = name_at(here);
    uint32_t brace;
    if (slice_equal(word, SLICE("unless"))) return "write if !(...)";
    if (slice_equal(word, SLICE("elsif")) || slice_equal(word, SLICE("elif")))
        return "write else if";
    if (is_section_word(word) && open_brace(p->text, p->at, &brace)) {
        snprintf(out, cap, "close the { of %.*s in line %u before the section %.*s begins",
                 SLICE_FMT(owner_of(p->text, brace)), pos_place(pos_make(p->source, brace)).line,
                 SLICE_FMT(word));
        return out;
    }
    return starts(here, ",") ? "remove the comma" : "remove it, or put it into a plugin";
}

/* A value without quotes goes on behind the letters that a bare word can have. */
static const char *advice_unquoted(const struct parser *p, char *out, size_t cap)
{
    uint32_t from = p->at, to = p->at;
    while (from > 0 && lex_is_name_char(p->text.p[from - 1])) from--;
    while (to < p->text.n && to - from < 80 && !lex_is_blank(p->text.p[to]) &&
           strchr("{}[]\"',", p->text.p[to]) == NULL)
        to++;
    if (from == p->at) return "put white space between the options";
    snprintf(out, cap, "put the text into quotes: \"%.*s\"",
             SLICE_FMT(slice_part(p->text, from, to - from)));
    return out;
}

static const char *advice_body(const struct parser *p, slice here)
{
    uint32_t to = p->at;
    while (to > 0 && lex_is_blank(p->text.p[to - 1])) to--;
    if (starts(here, "[") && slice_ends(slice_part(p->text, 0, to), SLICE("else")))
        return "write else if";
    return advice_condition(here);
}

static const char *advice_option_end(const struct parser *p, char *out, size_t cap)
{
    slice here = rest_of(p);
    if (starts(here, ",")) return "remove the comma: white space is enough between options";
    if (starts(here, ":") || starts(here, "=")) return "write =>, with white space before the name";
    return advice_unquoted(p, out, cap);
}

static const char *advice(const struct parser *p, enum syntax at, char *out, size_t cap)
{
    slice here = rest_of(p);
    const char *fix = at == SYNTAX_TOKEN ? NULL : advice_foreign(p);
    if (fix != NULL) return fix;
    switch (at) {
    case SYNTAX_SECTION: return advice_section(here, p->at == 0);
    case SYNTAX_PLUGIN: return advice_plugin(p, out, cap);
    case SYNTAX_STATEMENT: return advice_statement(p, out, cap);
    case SYNTAX_ELSE: return "put the else behind the } of its if, with no plugin between";
    case SYNTAX_OPTION: return starts(here, ",") ? "remove the comma" : NULL;
    case SYNTAX_KEY:
        if (starts(here, ",")) return "remove the comma: white space is enough between entries";
        return NULL;
    case SYNTAX_ARROW: fix = advice_arrow(here); return fix ? fix : advice_brace(p, out, cap);
    case SYNTAX_VALUE: return advice_value(p, out, cap);
    case SYNTAX_LIST: return "put a comma between two items, and ] behind the last";
    case SYNTAX_OPTION_END: return advice_option_end(p, out, cap);
    case SYNTAX_OPERAND: return advice_operand(here, out, cap);
    case SYNTAX_PAREN:
        fix = advice_condition(here);
        return fix ? fix : "close the ( before the condition ends";
    case SYNTAX_BODY: return advice_body(p, here);
    case SYNTAX_TOKEN: break;
    }
    return NULL;
}

/* ---- the message ------------------------------------------------------------------------- */

/* Characters that belong together: == && {{ <%. */
static uint32_t mark_length(slice here)
{
    uint32_t n = 0;
    while (n < here.n && n < 3 && strchr("=<>!~&|:", here.p[n]) != NULL && here.p[n] != '\0') n++;
    if (starts(here, "{{") || starts(here, "{%") || starts(here, "<%") || starts(here, "//") ||
        starts(here, "/*"))
        n = 2;
    return n;
}

/* 'word' or 'c'; what cannot be seen has a name. */
static void show_found(const struct parser *p, char *out, size_t cap)
{
    slice here = rest_of(p), word = name_at(here);
    uint32_t mark = mark_length(here);
    if (here.n > 0 && here.p[0] == '-') word.n = 0;
    if (mark > 1) {
        snprintf(out, cap, "'%.*s'", (int)mark, here.p);
    } else if (here.n == 0) {
        snprintf(out, cap, "the end");
    } else if (word.n > 0) {
        snprintf(out, cap, "'%.*s'", word.n > 40 ? 40 : (int)word.n, word.p);
    } else {
        uint32_t n = utf8_valid_at(here, 0);
        if (n < 2 && ((unsigned char)here.p[0] < 0x20 || here.p[0] == 0x7F))
            snprintf(out, cap, "the byte 0x%02X", (unsigned)(unsigned char)here.p[0]);
        else if (starts(here, "\xEF\xBB\xBF"))
            snprintf(out, cap, "a byte order mark");
        else
            snprintf(out, cap, "'%.*s'", n == 0 ? 1 : (int)n, here.p);
    }
}

/* A string of several lines ended on this line: as like as not it was never meant to be one. */
static bool follows_long_string(const struct parser *p)
{
    slice between = slice_part(p->text, p->long_to, p->at - p->long_to);
    return p->long_to > 0 && p->long_to <= p->at && slice_find_byte(between, '\n') < 0;
}

bool config_parse_fail(struct parser *p, enum syntax at, const char *expected)
{
    char found[64], fix[200];
    uint32_t brace;
    if (p->failed) return false;
    p->failed = true;
    if (lex_end(p) && at != SYNTAX_TOKEN && open_brace(p->text, p->at, &brace)) {
        diag_error(p->diag, pos_make(p->source, brace), NULL,
                   "the '{' at line %u is never closed: the configuration ends without its '}'",
                   pos_place(pos_make(p->source, brace)).line);
        diag_fix(p->diag, "add the missing }");
        return false;
    }
    /* In the text, too: it may be shown without its place, as by the monitoring API. */
    struct pos_place place = pos_place(lex_pos(p));
    if (at == SYNTAX_TOKEN) {
        diag_error(p->diag, lex_pos(p), NULL, "expected %s, at line %u, column %u", expected,
                   place.line, place.column);
        if (strchr("\"'/", lex_peek(p)) != NULL && !lex_end(p))
            diag_fix(p->diag, "add the closing %c where the text ends", lex_peek(p));
        return false;
    }
    show_found(p, found, sizeof(found));
    diag_error(p->diag, lex_pos(p), NULL, "found %s at line %u, column %u, expected %s", found,
               place.line, place.column, expected);
    const char *text = advice(p, at, fix, sizeof(fix));
    if (follows_long_string(p))
        diag_fix(p->diag,
                 "the string that begins in line %u ends only here: is its closing quote "
                 "missing there?",
                 pos_place(pos_make(p->source, p->long_from)).line);
    else if (text != NULL)
        diag_fix(p->diag, "%s", text);
    return false;
}
