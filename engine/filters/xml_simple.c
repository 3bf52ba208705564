/* xml_simple.c - collapsing elements. The depth is the parser's, which is bounded. */
#include "engine/filters/xml_simple.h"

#include <libxml/tree.h>
#include <libxml/xmlmemory.h>

#include "engine/base/buf.h"
#include "engine/filters/xml_raw.h"

static slice text_kept(const struct xml_simple *x, const xmlChar *text)
{
    return arena_copy(x->arena, slice_from_cstr(text == NULL ? "" : (const char *)text));
}

/* Of raw text, or of what libxml2 has decoded. */
static slice text_decoded(const struct xml_simple *x, slice text)
{
    return x->raw ? xml_raw_decode(text, x->arena) : text;
}

static bool is_text(const xmlNode *node)
{
    return node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE;
}

static bool is_blank(slice text)
{
    for (uint32_t i = 0; i < text.n; i++)
        if (memchr(" \t\n\v\f\r", text.p[i], 6) == NULL) return false;
    return true;
}

static bool is_empty(const struct value *v)
{
    if (v->type == VALUE_MAP) return v->u.map->n == 0;
    if (v->type == VALUE_STRING) return is_blank(value_slice(v));
    return v->type == VALUE_NIL;
}

static void list_push(const struct xml_simple *x, struct value *list, struct value item)
{
    /* Room is for powers of two: full ones move. */
    if ((list->n & (list->n - 1)) == 0) {
        size_t room = list->n == 0 ? 1 : (size_t)list->n * 2;
        struct value *items = arena_alloc(x->arena, room * sizeof(*items), 16);
        if (list->n > 0) memcpy(items, list->u.list, list->n * sizeof(*items));
        list->u.list = items;
    }
    list->u.list[list->n++] = item;
}

static struct value list_of(const struct xml_simple *x, struct value item)
{
    struct value list = value_list(NULL, 0);
    list_push(x, &list, item);
    return list;
}

static void merge(const struct xml_simple *x, struct map *map, slice name, struct value val)
{
    struct key key = key_make(x->arena, name);
    struct member *m = map_find(map, key.name, key.hash);
    if (m != NULL && m->val.type == VALUE_LIST) {
        list_push(x, &m->val, val);
        return;
    }
    if (m != NULL) {
        struct value list = list_of(x, m->val);
        list_push(x, &list, val);
        map_put(map, x->arena, key, list);
        return;
    }
    bool forced = x->force_array && !slice_equal(name, SLICE("content"));
    map_append(map, x->arena, key, val.type == VALUE_LIST || forced ? list_of(x, val) : val);
}

/* Attributes and the declarations of name spaces, which are attributes to XmlSimple. */
static struct map *attributes(const struct xml_simple *x, xmlNode *element)
{
    struct map *map = map_new(x->arena);
    for (const xmlNs *ns = element->nsDef; ns != NULL; ns = ns->next) {
        slice name = SLICE("xmlns");
        if (ns->prefix != NULL)
            name = arena_join(x->arena, SLICE("xmlns:"), text_kept(x, ns->prefix));
        map_put(map, x->arena, key_make(x->arena, name),
                value_string(text_decoded(x, text_kept(x, ns->href))));
    }
    for (xmlAttr *a = element->properties; a != NULL; a = a->next) {
        slice name = text_kept(x, a->name);
        if (a->ns != NULL && a->ns->prefix != NULL)
            name = arena_join(x->arena,
                              arena_join(x->arena, text_kept(x, a->ns->prefix), SLICE(":")), name);
        xmlChar *text = xmlNodeListGetString(element->doc, a->children, 1);
        map_put(map, x->arena, key_make(x->arena, name),
                value_string(text_decoded(x, text_kept(x, text))));
        xmlFree(text);
    }
    return map;
}

/* All text right below the element; in a raw document as it is written. */
static slice text_below(const struct xml_simple *x, const xmlNode *element, bool *any)
{
    struct buf text = {0};
    *any = false;
    for (const xmlNode *n = element->children; n != NULL; n = n->next) {
        if (!is_text(n)) continue;
        *any = true;
        buf_add_slice(&text, slice_from_cstr((const char *)n->content));
    }
    slice kept = text.n == 0 ? SLICE("") : arena_copy(x->arena, buf_slice(&text));
    buf_fini(&text);
    return kept;
}

/* The same, each text decoded. */
static slice text_value(const struct xml_simple *x, const xmlNode *element, slice raw)
{
    if (!x->raw || slice_find_byte(raw, '&') < 0) return raw;
    struct buf text = {0};
    for (const xmlNode *n = element->children; n != NULL; n = n->next) {
        if (!is_text(n)) continue;
        slice part = slice_from_cstr((const char *)n->content);
        buf_add_slice(&text, n->type == XML_TEXT_NODE ? text_decoded(x, part) : part);
    }
    slice kept = arena_copy(x->arena, buf_slice(&text));
    buf_fini(&text);
    return kept;
}

/* Text between elements as REXML shows it: as it is written, else escaped again; CDATA as it is. */
static slice text_shown(const struct xml_simple *x, const xmlNode *node)
{
    if (x->raw || node->type == XML_CDATA_SECTION_NODE) return text_kept(x, node->content);
    struct buf text = {0};
    for (const xmlChar *p = node->content; *p != '\0'; p++) {
        switch (*p) {
        case '<': buf_add_cstr(&text, "&lt;"); break;
        case '>': buf_add_cstr(&text, "&gt;"); break;
        case '&': buf_add_cstr(&text, "&amp;"); break;
        default: buf_add_byte(&text, (char)*p);
        }
    }
    slice kept = text.n == 0 ? SLICE("") : arena_copy(x->arena, buf_slice(&text));
    buf_fini(&text);
    return kept;
}

static struct value mixed_content(const struct xml_simple *x, const xmlNode *element)
{
    struct value list = value_list(NULL, 0);
    for (const xmlNode *n = element->children; n != NULL; n = n->next)
        if (is_text(n)) list_push(x, &list, value_string(text_shown(x, n)));
    return list.n == 1 ? list.u.list[0] : list;
}

static struct value only_text(const struct xml_simple *x, struct map *map, slice text)
{
    if (map->n == 0 && is_blank(text)) return value_map(map);
    if (map->n == 0 && !x->force_content) return value_string(text);
    merge(x, map, SLICE("content"), value_string(text));
    return value_map(map);
}

/* A member "anon" that is the only list stands for the whole. */
static struct value finished(const struct xml_simple *x, struct map *map)
{
    const struct value *anonymous = NULL;
    uint32_t lists = 0;
    for (uint32_t i = 0; i < map->n; i++) {
        if (map->at[i].val.type != VALUE_LIST) continue;
        lists++;
        if (slice_equal(slice_make(map->at[i].key, map->at[i].key_n), SLICE("anon")))
            anonymous = &map->at[i].val;
    }
    if (lists == 1 && anonymous != NULL) return *anonymous;
    return map->n == 0 && x->suppress_empty ? value_nil() : value_map(map);
}

struct value xml_simple_value(const struct xml_simple *x, xmlNode *element)
{
    struct map *map = attributes(x, element);
    bool bare = map->n == 0, any_text, any_element = false;
    slice text = text_below(x, element, &any_text);
    for (xmlNode *n = element->children; n != NULL; n = n->next) {
        if (n->type != XML_ELEMENT_NODE) continue;
        any_element = true;
        struct value val = xml_simple_value(x, n);
        if (x->suppress_empty && bare && is_empty(&val)) continue;
        merge(x, map, text_kept(x, n->name), val);
    }
    if (!any_element && any_text) return only_text(x, map, text_value(x, element, text));
    if (any_element && !is_blank(text))
        map_put(map, x->arena, key_make(x->arena, SLICE("content")), mixed_content(x, element));
    return finished(x, map);
}
