/* settings_doc.c - option tables as Markdown. */
#include "engine/config/settings.h"

static const char *const type_texts[] = {
    [SETTING_STRING] = "string",
    [SETTING_INT] = "number",
    [SETTING_FLOAT] = "number",
    [SETTING_BOOL] = "boolean",
    [SETTING_BYTES] = "number of bytes",
    [SETTING_DURATION] = "duration",
    [SETTING_PASSWORD] = "password",
    [SETTING_PATH] = "path",
    [SETTING_URI] = "uri",
    [SETTING_ENUM] = "choice",
    [SETTING_ENUM_LIST] = "list of choices",
    [SETTING_LIST] = "list of strings",
    [SETTING_URI_LIST] = "list of uris",
    [SETTING_ANY_LIST] = "list",
    [SETTING_HASH] = "hash",
    [SETTING_CODEC] = "codec",
    [SETTING_ANY] = "value",
    [SETTING_DEFAULT] = "default",
};

const char *setting_type_text(enum setting_type type)
{
    return type_texts[type];
}

/* A bar would end the table cell. */
static void add_cell(struct buf *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '|') buf_add_byte(out, '\\');
        if (*text == '\n')
            buf_add_cstr(out, "\\n");
        else
            buf_add_byte(out, *text);
    }
}

static void add_type(const struct setting *s, struct buf *out)
{
    buf_add_cstr(out, setting_type_text(s->type));
    if (s->choices == NULL) return;
    buf_add_cstr(out, ": ");
    for (uint32_t i = 0; s->choices[i] != NULL; i++) {
        if (i > 0) buf_add_cstr(out, ", ");
        buf_add_cstr(out, "`");
        add_cell(out, s->choices[i]);
        buf_add_cstr(out, "`");
    }
}

static void add_default(const struct setting *s, struct buf *out)
{
    if (s->flags & SETTING_REQUIRED) {
        buf_add_cstr(out, "*required*");
    } else if (s->default_text != NULL) {
        buf_add_cstr(out, "`");
        add_cell(out, s->default_text[0] == '\0' ? "\"\"" : s->default_text);
        buf_add_cstr(out, "`");
    }
}

static void add_notes(const struct setting *s, struct buf *out)
{
    if (s->flags & SETTING_OLD) buf_add_cstr(out, "Deprecated. ");
    if (s->flags & SETTING_OBSOLETE) buf_add_cstr(out, "Obsolete. ");
    if (s->flags & SETTING_UNSUPPORTED) buf_add_cstr(out, "Not supported. ");
    add_cell(out, s->doc);
    if (s->instead != NULL) {
        buf_add_cstr(out, s->doc == NULL ? "" : " ");
        add_cell(out, s->instead);
    }
    if (s->old_names != NULL) {
        buf_add_cstr(out, " Old name: `");
        add_cell(out, s->old_names);
        buf_add_cstr(out, "`.");
    }
    if (s->since != NULL) buf_printf(out, " Since %s.", s->since);
}

void settings_markdown(const struct setting *settings, struct buf *out)
{
    buf_add_cstr(out, "| option | type | default | |\n|---|---|---|---|\n");
    for (const struct setting *s = settings; s != NULL && s->name != NULL; s++) {
        if (s->type == SETTING_DEFAULT) continue;
        buf_printf(out, "| `%s` | ", s->name);
        add_type(s, out);
        buf_add_cstr(out, " | ");
        add_default(s, out);
        buf_add_cstr(out, " | ");
        add_notes(s, out);
        buf_add_cstr(out, " |\n");
    }
}
