/* texts.c - lints about escapes, date formats, code and what stands where in a block. */
#include <string.h>

#include "engine/lint/checks.h"

/* ---- string-escape ------------------------------------------------------------------------ */

/* A backslash that is not escaped itself, followed by one of the letters; -1 when there is none. */
static int64_t escape_at(slice text, const char *letters)
{
    for (uint32_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] != '\\') continue;
        if (text.p[i + 1] != '\0' && strchr(letters, text.p[i + 1]) != NULL) return i;
        i++;
    }
    return -1;
}

static void check_escape(struct lint *l, const struct config_value *v)
{
    if (v->type != CONFIG_STRING || (v->flags & CONFIG_EXPANDED)) return;
    int64_t at = escape_at(v->text, "nrt\"'");
    if (at < 0) return;
    char c = v->text.p[at + 1];
    bool quote = c == '"' || c == '\'';
    lint_warn(l, config_value_pos_in(v, (uint32_t)at),
              quote ? "use the other kind of quotes around the text, or set "
                      "config.support_escapes: true"
                    : "set config.support_escapes: true, or write the character itself (a string "
                      "may span lines)",
              quote ? "the backslash stays in the text: escapes are not processed"
                    : "\\%c is two characters here, a backslash and %c: escapes are not processed",
              c, c);
}

static void check_escapes_in(struct lint *l, const struct config_value *v)
{
    uint32_t n;
    if (v == NULL) return;
    if (v->type == CONFIG_HASH) {
        for (uint32_t i = 0; i < v->n; i++) check_escapes_in(l, &v->u.pairs[i].val);
        return;
    }
    const struct config_value *items = lint_items(v, &n);
    for (uint32_t i = 0; i < n; i++) check_escape(l, &items[i]);
}

/* Options whose texts are taken as they are: no expressions, no code, no character classes. */
static void check_plain_texts(struct lint *l, const struct lint_plugin *p)
{
    static const struct {
        const char *plugin, *option;
    } table[] = {{"mutate", "split"},    {"mutate", "join"},   {"mutate", "replace"},
                 {"mutate", "update"},   {"csv", "separator"}, {"csv", "quote_char"},
                 {"split", "terminator"}};
    for (uint32_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (lint_is(p, SECTION_FILTER, table[i].plugin))
            check_escapes_in(l, lint_option(p->plugin, table[i].option));
    check_escapes_in(l, lint_option(p->plugin, "add_field"));
    const struct config_value *codec = lint_option(p->plugin, "codec");
    if (codec == NULL || codec->type != CONFIG_PLUGIN) return;
    if (!slice_equal(codec->text, SLICE("cef"))) /* which processes them itself */
        check_escapes_in(l, lint_option(codec->u.plugin, "delimiter"));
    check_escapes_in(l, lint_option(codec->u.plugin, "format"));
}

static void check_escaped_operand(struct lint *l, const struct lint_cond *of, const struct cond *c)
{
    (void)of;
    if (c->type != COND_EQ && c->type != COND_NE && c->type != COND_IN) return;
    check_escape(l, &c->a);
    check_escapes_in(l, &c->b);
}

void lint_string_escape(struct lint *l)
{
    if (process_settings_bool(l->settings, "config.support_escapes")) return;
    for (uint32_t i = 0; i < l->plugin_n; i++) check_plain_texts(l, &l->plugin[i]);
    lint_relations(l, check_escaped_operand);
}

/* ---- dates -------------------------------------------------------------------------------- */

/* Letters of a Joda or java.time pattern outside quotes, one bit each. */
struct letters {
    uint64_t upper, lower;
};

static struct letters letters_of(slice pattern)
{
    struct letters found = {0};
    bool quoted = false;
    for (uint32_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        if (c == '\'') quoted = !quoted;
        if (quoted) continue;
        if (c >= 'A' && c <= 'Z') found.upper |= 1ULL << (c - 'A');
        if (c >= 'a' && c <= 'z') found.lower |= 1ULL << (c - 'a');
    }
    return found;
}

static bool has(struct letters l, char c)
{
    return c >= 'a' ? (l.lower >> (c - 'a')) & 1 : (l.upper >> (c - 'A')) & 1;
}

static bool is_named_format(slice format)
{
    static const char *const names[] = {"ISO8601", "UNIX", "UNIX_MS", "TAI64N"};
    for (int i = 0; i < 4; i++)
        if (slice_equal(format, slice_from_cstr(names[i]))) return true;
    return false;
}

static void check_letters(struct lint *l, slice format, struct pos pos, bool parses)
{
    struct letters f = letters_of(format);
    bool year = has(f, 'y') || has(f, 'Y');
    if (has(f, 'm') && !has(f, 'M') && !has(f, 'D') && year && (has(f, 'd') || !has(f, 'H')))
        lint_warn(l, pos, "write MM for the month", "mm are minutes; there is no month in %.*s",
                  SLICE_FMT(format));
    else if (has(f, 'D') && has(f, 'M') && !has(f, 'd'))
        lint_warn(l, pos, "write dd for the day of the month",
                  "DD is the day of the year; there is no day of the month in %.*s",
                  SLICE_FMT(format));
    else if (parses && has(f, 'h') && !has(f, 'a') && !has(f, 'H'))
        lint_warn(l, pos, "write HH",
                  "hh are hours from 1 to 12, and without a for am and pm "
                  "every hour after noon fails");
}

/* The formats of a date filter. */
static const struct config_value *formats(const struct lint_plugin *p, uint32_t *n)
{
    *n = 0;
    if (!lint_is(p, SECTION_FILTER, "date")) return NULL;
    return lint_items(lint_option(p->plugin, "match"), n);
}

static void check_time_text(struct lint *l, const struct lint_plugin *p, slice option,
                            const struct config_value *text)
{
    struct text_part part;
    if (p->section == SECTION_FILTER && slice_equal(option, SLICE("mapping"))) return;
    for (uint32_t at = 0; text_part_next(text->text, &at, &part);)
        if ((part.joda || part.java) && !slice_equal(part.text, SLICE("%s")) &&
            !slice_equal(part.text, SLICE("TIME_NOW")))
            check_letters(l, part.text, config_value_pos_in(text, part.at), false);
}

void lint_date_letters(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        uint32_t n;
        const struct config_value *at = formats(&l->plugin[i], &n);
        for (uint32_t k = 1; k < n; k++)
            if (!is_named_format(at[k].text)) check_letters(l, at[k].text, at[k].pos, true);
    }
    lint_texts(l, check_time_text);
}

void lint_date_literal_z(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        uint32_t n;
        const struct config_value *at = formats(&l->plugin[i], &n);
        if (n == 0 || lint_option(l->plugin[i].plugin, "timezone") != NULL) continue;
        for (uint32_t k = 1; k < n; k++)
            if (slice_ends(at[k].text, SLICE("'Z'")))
                lint_warn(l, config_value_pos_in(&at[k], at[k].text.n - 3),
                          "write ISO8601 as the format, or add timezone => \"UTC\"",
                          "'Z' in quotes is just a letter: the time is read in the host's zone");
    }
}

static void check_week_year(struct lint *l, const struct lint_plugin *p, slice option,
                            const struct config_value *text)
{
    struct text_part part;
    (void)option;
    (void)p;
    for (uint32_t at = 0; text_part_next(text->text, &at, &part);) {
        struct letters f = letters_of(part.text);
        bool week = has(f, 'w') || has(f, 'W');
        bool year = (part.java && has(f, 'Y')) || (part.joda && has(f, 'x'));
        if (!year || week || slice_equal(part.text, SLICE("TIME_NOW"))) continue;
        lint_warn(l, config_value_pos_in(text, part.at), "write yyyy",
                  "%s is the year that the week belongs to: wrong in the days around New Year",
                  part.java ? "YYYY in %{{...}}" : "xxxx in %{+...}");
    }
}

void lint_week_year(struct lint *l)
{
    lint_texts(l, check_week_year);
}

/* ---- code, blocks, inputs ------------------------------------------------------------------ */

static void check_ruby(struct lint *l, const struct lint_plugin *p, slice option,
                       const struct config_value *text)
{
    static const char *const old[] = {"event['", "event[\""};
    bool code = slice_equal(option, SLICE("code")) || slice_equal(option, SLICE("init"));
    if (!lint_is(p, SECTION_FILTER, "ruby") || !code) return;
    for (int i = 0; i < 2; i++) {
        int64_t at = slice_find(text->text, slice_from_cstr(old[i]));
        if (at < 0) continue;
        lint_warn(l, config_value_pos_in(text, (uint32_t)at),
                  "write event.get('field') and event.set('field', value)",
                  "event[...] has not existed since Logstash 5: every event fails with "
                  "_rubyexception");
        return;
    }
}

void lint_ruby_api(struct lint *l)
{
    lint_texts(l, check_ruby);
}

void lint_unreachable(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        if (!lint_is(p, SECTION_FILTER, "drop") || lint_option(p->plugin, "percentage") != NULL)
            continue;
        if (p->at + 1 >= p->block->n) continue;
        lint_warn(l, p->block->at[p->at + 1].pos, "put it before the drop, or the drop into an if",
                  "no event comes here: the drop of line %u takes all of them",
                  pos_place(p->plugin->pos).line);
    }
}

void lint_datagram_lines(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct ast_plugin *p = l->plugin[i].plugin;
        if (!lint_is(&l->plugin[i], SECTION_INPUT, "udp")) continue;
        if (slice_equal(lint_codec(p), SLICE("multiline")))
            lint_warn(l, settings_pos(p, "codec"), "receive over tcp, or join at the sender",
                      "every datagram ends what the multiline codec gathers: lines that come in "
                      "datagrams of their own are never joined");
    }
}

void lint_read_deletes(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct ast_plugin *p = l->plugin[i].plugin;
        if (!lint_is(&l->plugin[i], SECTION_INPUT, "file")) continue;
        if (!slice_equal(lint_option_text(p, "mode"), SLICE("read"))) continue;
        if (lint_option(p, "file_completed_action") == NULL)
            lint_warn(l, settings_pos(p, "mode"),
                      "add file_completed_action => \"log\" (or \"delete\", if that is meant)",
                      "in read mode files are deleted when they have been read");
    }
}
