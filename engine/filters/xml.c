/*
 * xml.c - XML in a field as fields, and what XPath expressions find in it.
 *
 * libxml2 parses; nothing is ever loaded from files or the network, and libxml2's own bounds on
 * depth, text and the growth of entities hold. The whole document goes through xml_simple. XPath
 * also sees what can be saved of malformed text, unless parse_options say otherwise. Failures tag
 * the event. State: one parser, compiled expressions.
 */
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/number.h"
#include "engine/base/utf8.h"
#include "engine/filters/xml_raw.h"
#include "engine/filters/xml_simple.h"
#include "engine/plan/filter_kit.h"

#define FAILURE_TAG "_xmlparsefailure"
/* Steps of one evaluation. */
#define XPATH_STEPS_MAX 10000000u
#define NAMES_MAX 4096 /* of elements and attributes that a parser may remember */
/* What the tree for XPath leaves out, but not the one that is stored. */
#define XPATH_ONLY (XML_PARSE_NOBLANKS | XML_PARSE_NOCDATA)

struct xml_query {
    const char *expression;
    struct fieldref target;
};

struct xml_cfg {
    slice source_name, target_name, options_text;
    struct config_hash xpath, namespaces;
    bool store, force_array, force_content, suppress_empty, remove_namespaces;
    struct fieldref source, target;
    struct xml_query *query;
    int flags; /* of libxml2 */
};

struct xml_state {
    xmlParserCtxt *parser[2]; /* the second one for XPATH_ONLY, which cannot be undone */
    xmlXPathCompExpr **query;
    struct log_gate gate;
    struct counter failures;
};

struct xml_run {
    struct xml_state *state;
    const struct xml_cfg *cfg;
    struct batch *batch;
    struct event *ev;
};

static void be_quiet(void *context, xmlError *error)
{
    (void)context, (void)error;
}

static xmlParserInput *load_nothing(const char *url, const char *id, xmlParserCtxt *context)
{
    (void)url, (void)id, (void)context;
    return NULL;
}

static bool failed(struct xml_run *r, const char *why)
{
    uint64_t held;
    counter_add(&r->state->failures, 1);
    event_tag(r->batch, r->ev, SLICE(FAILURE_TAG), true);
    if (log_gate_open(&r->state->gate, &held))
        log_warn("filters.xml", "Error parsing xml in `%.*s`: %s (%llu more since the last report)",
                 SLICE_FMT(r->cfg->source.text), why, (unsigned long long)held);
    return false;
}

/* ---- XPath ------------------------------------------------------------------------------------
 */

struct results {
    struct value *items;
    uint32_t n;
};

static void result_add(struct xml_run *r, struct results *out, slice text)
{
    if (!utf8_valid(text)) return;
    out->items[out->n++] = value_string(arena_copy(&r->batch->arena, text));
}

/* A node as Nokogiri shows it: attributes by their value, the others as XML. */
static void node_add(struct xml_run *r, struct results *out, xmlNode *node)
{
    if (node->type == XML_ATTRIBUTE_NODE || node->type == XML_NAMESPACE_DECL) {
        xmlChar *text = xmlNodeGetContent(node);
        result_add(r, out, slice_from_cstr(text == NULL ? "" : (const char *)text));
        xmlFree(text);
        return;
    }
    if (node->type == XML_DOCUMENT_NODE) {
        xmlChar *text = NULL;
        int n = 0;
        xmlDocDumpFormatMemory((xmlDoc *)node, &text, &n, 1);
        result_add(r, out, slice_make((const char *)text, n < 0 ? 0 : (size_t)n));
        xmlFree(text);
        return;
    }
    xmlBuffer *text = xmlBufferCreate();
    ASSERT(text != NULL);
    if (xmlNodeDump(text, node->doc, node, 0, 1) >= 0)
        result_add(r, out,
                   slice_make((const char *)xmlBufferContent(text), (size_t)xmlBufferLength(text)));
    xmlBufferFree(text);
}

static struct results results_of(struct xml_run *r, const xmlXPathObject *found)
{
    struct results out = {0};
    char text[NUMBER_TEXT_MAX];
    const xmlNodeSet *nodes = found->type == XPATH_NODESET ? found->nodesetval : NULL;
    uint32_t n = nodes == NULL ? 1 : (uint32_t)nodes->nodeNr;
    out.items = arena_alloc(&r->batch->arena, ((size_t)n + 1) * sizeof(*out.items), 16);
    switch (found->type) {
    case XPATH_NODESET:
        for (uint32_t i = 0; nodes != NULL && i < n; i++) node_add(r, &out, nodes->nodeTab[i]);
        break;
    case XPATH_STRING: result_add(r, &out, slice_from_cstr((const char *)found->stringval)); break;
    case XPATH_NUMBER:
        result_add(r, &out, slice_make(text, number_f64_ruby(found->floatval, text)));
        break;
    case XPATH_BOOLEAN:
        if (found->boolval) result_add(r, &out, SLICE("true"));
        break;
    default: break;
    }
    return out;
}

/* Those of the option, else those of the root; its default one is called xmlns. */
static void namespaces_register(const struct xml_cfg *cfg, xmlXPathContext *context, xmlDoc *doc)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    for (uint32_t i = 0; i < cfg->namespaces.n; i++)
        xmlXPathRegisterNs(context, (const xmlChar *)cfg->namespaces.at[i].key.text.p,
                           (const xmlChar *)cfg->namespaces.at[i].val.text.p);
    if (cfg->namespaces.n > 0 || root == NULL) return;
    for (const xmlNs *ns = root->nsDef; ns != NULL; ns = ns->next)
        xmlXPathRegisterNs(context, ns->prefix == NULL ? (const xmlChar *)"xmlns" : ns->prefix,
                           ns->href);
}

/* False: an expression could not be evaluated. */
static bool queries_run(struct xml_run *r, xmlDoc *doc, bool *matched)
{
    xmlXPathContext *context = xmlXPathNewContext(doc);
    ASSERT(context != NULL);
    context->error = be_quiet;
    context->opLimit = XPATH_STEPS_MAX;
    namespaces_register(r->cfg, context, doc);
    bool ok = true;
    for (uint32_t i = 0; ok && i < r->cfg->xpath.n; i++) {
        context->node = (xmlNode *)doc;
        context->opCount = 0;
        xmlXPathObject *found = xmlXPathCompiledEval(r->state->query[i], context);
        ok = found != NULL;
        if (!ok) break;
        struct results out = results_of(r, found);
        xmlXPathFreeObject(found);
        if (out.n == 0) continue;
        struct value val = value_list(out.items, out.n);
        if (out.n == 1 && !r->cfg->force_array) val = out.items[0];
        *matched = true;
        if (val.type == VALUE_STRING && val.n == 0) continue; /* as if nothing was found */
        ok = event_put(r->batch, r->ev, &r->cfg->query[i].target, val) == ERR_OK;
    }
    xmlXPathFreeContext(context);
    return ok;
}

static void namespaces_remove(xmlNode *node)
{
    for (; node != NULL; node = node->next) {
        if (node->type != XML_ELEMENT_NODE) continue;
        node->ns = NULL;
        for (xmlAttr *a = node->properties; a != NULL; a = a->next) a->ns = NULL;
        namespaces_remove(node->children);
        xmlFreeNsList(node->nsDef);
        node->nsDef = NULL;
    }
}

/* ---- events -------------------------------------------------------------------------------------
 */

/* The document, as far as it can be read; *good: nothing is wrong with it. */
static xmlDoc *parse(struct xml_state *s, slice text, int flags, bool *good)
{
    xmlParserCtxt **parser = &s->parser[(flags & XPATH_ONLY) != 0];
    xmlDoc *doc = xmlCtxtReadMemory(*parser, text.p, (int)text.n, NULL, "UTF-8",
                                    flags | XML_PARSE_RECOVER | XML_PARSE_NONET | XML_PARSE_NOENT |
                                        XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    *good = doc != NULL && (*parser)->wellFormed && (*parser)->nsWellFormed &&
            xmlDocGetRootElement(doc) != NULL;
    /* A parser keeps all the names it has seen: a new one forgets them. */
    if (xmlDictSize((*parser)->dict) > NAMES_MAX) {
        xmlFreeParserCtxt(*parser);
        *parser = xmlNewParserCtxt();
        ASSERT(*parser != NULL);
    }
    return doc;
}

/* The document to store, in the words of its source where that can be; `doc`, which XPath has
 * seen, if it is no different. */
static xmlDoc *parse_stored(struct xml_run *r, slice text, xmlDoc *doc, bool *good, bool *raw)
{
    const struct xml_cfg *cfg = r->cfg;
    slice escaped = text;
    enum xml_raw kind = xml_raw_escape(text, &r->batch->arena, &escaped);
    *raw = kind != XML_RAW_DOCTYPE;
    if (kind == XML_RAW_SAME && doc != NULL && *good && !(cfg->flags & XPATH_ONLY) &&
        !cfg->remove_namespaces)
        return doc;
    *good = false;
    return kind == XML_RAW_BAD ? NULL : parse(r->state, escaped, 0, good);
}

static bool xml_text(struct xml_run *r, slice text)
{
    const struct xml_cfg *cfg = r->cfg;
    bool good = true, raw = false, matched = false, ok = true;
    bool recovers = (cfg->flags & XML_PARSE_RECOVER) != 0;
    struct value val = value_nil();
    xmlDoc *doc = NULL, *stored = NULL;
    if (text.n > INT32_MAX) return failed(r, "too long");
    if (cfg->xpath.n > 0 || !recovers) doc = parse(r->state, text, cfg->flags, &good);
    if (!good && !recovers) ok = failed(r, "it is not well-formed");
    if (ok && cfg->xpath.n > 0 && doc != NULL) {
        if (cfg->remove_namespaces) namespaces_remove(doc->children);
        ok = queries_run(r, doc, &matched) || failed(r, "an XPath expression cannot be evaluated");
    }
    if (ok && cfg->store) stored = parse_stored(r, text, doc, &good, &raw);
    bool stores = ok && cfg->store && good;
    if (ok && cfg->store && !stores) ok = failed(r, "it is not well-formed");
    if (stores) {
        struct xml_simple rules = {cfg->force_array, cfg->force_content, cfg->suppress_empty, raw,
                                   &r->batch->arena};
        val = xml_simple_value(&rules, xmlDocGetRootElement(stored));
        ok = event_put(r->batch, r->ev, &cfg->target, val) == ERR_OK ||
             failed(r, "the target cannot be set");
    }
    if (stored != doc) xmlFreeDoc(stored);
    xmlFreeDoc(doc);
    return ok && (matched || stores);
}

static bool xml_one(struct xml_run *r)
{
    struct value *v = event_get(r->batch, r->ev, &r->cfg->source);
    if (!value_is_truthy(v)) return false;
    if (v->type == VALUE_LIST) {
        if (v->n != 1) return failed(r, "it is a list of several, or none");
        v = &v->u.list[0];
        value_resolve(v, &r->batch->arena);
    }
    if (v->type != VALUE_STRING) return failed(r, "it is no text");
    slice text = value_slice(v);
    bool blank = true;
    for (uint32_t i = 0; blank && i < text.n; i++)
        blank = memchr("\t\n\v\f\r ", text.p[i], 7) != NULL; /* NUL, too */
    return !blank && xml_text(r, text);
}

static enum applied xml_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                              struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct xml_run r = {state, cfg, b, &b->event[in->at[i]]};
        if (xml_one(&r)) sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static err xml_start(void *state, const void *config, struct worker *worker)
{
    const struct xml_cfg *cfg = config;
    struct xml_state *s = state;
    (void)worker;
    for (uint32_t i = 0; i < 2; i++) s->parser[i] = xmlNewParserCtxt();
    s->query = calloc((size_t)cfg->xpath.n + 1, sizeof(*s->query));
    ASSERT(s->parser[0] != NULL && s->parser[1] != NULL && s->query != NULL);
    for (uint32_t i = 0; i < cfg->xpath.n; i++) {
        s->query[i] = xmlXPathCompile((const xmlChar *)cfg->query[i].expression);
        ASSERT(s->query[i] != NULL);
    }
    return ERR_OK;
}

static void xml_stop(void *state, const void *config)
{
    const struct xml_cfg *cfg = config;
    struct xml_state *s = state;
    for (uint32_t i = 0; i < cfg->xpath.n; i++) xmlXPathFreeCompExpr(s->query[i]);
    free(s->query);
    for (uint32_t i = 0; i < 2; i++) xmlFreeParserCtxt(s->parser[i]);
}

static void xml_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct xml_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu", (unsigned long long)counter_read(&s->failures));
}

static err compile_queries(struct xml_cfg *cfg, struct compiler *c)
{
    err e = ERR_OK;
    cfg->query = heap_alloc(c->heap, (cfg->xpath.n + 1) * sizeof(*cfg->query));
    for (uint32_t i = 0; i < cfg->xpath.n; i++) {
        struct xml_query *query = &cfg->query[i];
        slice text = cfg->xpath.at[i].key.text;
        if (!config_is_scalar(&cfg->xpath.at[i].val)) {
            compile_error(c, "xpath", "expressions with one field each",
                          "`xpath` has no field for `%.*s`", SLICE_FMT(text));
            e = ERR_CONFIG;
            continue;
        }
        query->expression = heap_dup(c->heap, text).p;
        if (compile_fieldref(c, &query->target, cfg->xpath.at[i].val.text,
                             settings_pos(c->plugin, "xpath")) != ERR_OK)
            e = ERR_CONFIG;
        xmlXPathContext *context = xmlXPathNewContext(NULL);
        ASSERT(context != NULL);
        context->error = be_quiet;
        xmlXPathCompExpr *compiled =
            xmlXPathCtxtCompile(context, (const xmlChar *)query->expression);
        xmlXPathFreeContext(context);
        if (compiled == NULL) {
            compile_error(c, "xpath", NULL, "`%.*s` is no XPath expression", SLICE_FMT(text));
            e = ERR_CONFIG;
        }
        xmlXPathFreeCompExpr(compiled);
    }
    return e;
}

static const struct {
    const char *name;
    int flags; /* -1: not here */
} parse_options[] = {{"strict", 0},
                     {"recover", XML_PARSE_RECOVER},
                     {"defaultxml", XML_PARSE_RECOVER},
                     {"noblanks", XML_PARSE_NOBLANKS},
                     {"nocdata", XML_PARSE_NOCDATA},
                     {"nsclean", XML_PARSE_NSCLEAN},
                     {"noent", 0}, /* always */
                     {"nonet", 0},
                     {"noerror", 0},
                     {"nowarning", 0},
                     {"compact", XML_PARSE_COMPACT},
                     {"nodict", XML_PARSE_NODICT},
                     {"pedantic", XML_PARSE_PEDANTIC},
                     {"dtdload", -1},
                     {"dtdattr", -1},
                     {"dtdvalid", -1},
                     {"xinclude", -1},
                     {"noxincnode", -1},
                     {"huge", -1},
                     {"sax1", -1},
                     {"old10", -1},
                     {"nobasefix", -1}};

static err compile_option(struct xml_cfg *cfg, struct compiler *c, slice text)
{
    char name[16];
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n && n < sizeof(name); i++)
        if (text.p[i] != '_') name[n++] = text.p[i];
    for (uint32_t i = 0; i < sizeof(parse_options) / sizeof(parse_options[0]); i++) {
        if (!slice_equal_nocase(slice_make(name, n), slice_from_cstr(parse_options[i].name)))
            continue;
        if (parse_options[i].flags < 0) break;
        cfg->flags |= parse_options[i].flags;
        return ERR_OK;
    }
    compile_error(c, "parse_options", "strict, recover, noblanks, nocdata or nsclean",
                  "unsupported parse option: %.*s", SLICE_FMT(text));
    return ERR_CONFIG;
}

/* Names with commas or bars between. */
static err compile_options(struct xml_cfg *cfg, struct compiler *c)
{
    err e = ERR_OK;
    slice rest = cfg->options_text;
    if (rest.p == NULL) cfg->flags = XML_PARSE_RECOVER;
    while (rest.n > 0) {
        uint32_t n = 0;
        while (n < rest.n && rest.p[n] != ',' && rest.p[n] != '|') n++;
        slice name = slice_trim(slice_part(rest, 0, n));
        if (name.n > 0 && compile_option(cfg, c, name) != ERR_OK) e = ERR_CONFIG;
        rest = slice_from(rest, n + 1);
    }
    return e;
}

static err compile_namespaces(const struct xml_cfg *cfg, struct compiler *c)
{
    for (uint32_t i = 0; i < cfg->namespaces.n; i++) {
        if (config_is_scalar(&cfg->namespaces.at[i].val)) continue;
        compile_error(c, "namespaces", "prefixes with their name spaces",
                      "`namespaces` has no text for `%.*s`",
                      SLICE_FMT(cfg->namespaces.at[i].key.text));
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static err xml_compile(void *config, struct compiler *c)
{
    struct xml_cfg *cfg = config;
    /* Process-wide, the same every time, and nobody else here uses libxml2. */
    xmlInitParser();
    xmlSetExternalEntityLoader(load_nothing);
    if (cfg->store && cfg->target_name.n == 0) {
        compile_error(c, "target", "target => ..., or store_xml => false",
                      "When the 'store_xml' configuration option is true, 'target' must also be "
                      "set");
        return ERR_CONFIG;
    }
    err e[] = {compile_field_option(c, &cfg->source, "source", cfg->source_name),
               cfg->store ? compile_field_option(c, &cfg->target, "target", cfg->target_name)
                          : ERR_OK,
               compile_queries(cfg, c), compile_options(cfg, c), compile_namespaces(cfg, c)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

#define XML_AT(member, kind) SETTING_AT(struct xml_cfg, member, kind)

/* clang-format off */
static const struct setting xml_settings[] = {
    {.name = "source", XML_AT(source_name, STRING), .flags = SETTING_REQUIRED | SETTING_FIELD,
     .doc = "The field that holds XML text, or a list with one."},
    {.name = "target", XML_AT(target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives the document; required with store_xml."},
    {.name = "store_xml", XML_AT(store, BOOL), .default_text = "true",
     .doc = "Whether the whole document goes into the target."},
    {.name = "xpath", XML_AT(xpath, HASH), .flags = SETTING_FIELD, .default_text = "{}",
     .doc = "XPath 1.0 expressions with the fields that receive what they find."},
    {.name = "force_array", XML_AT(force_array, BOOL), .default_text = "true",
     .doc = "Whether single elements and results are lists of one."},
    {.name = "force_content", XML_AT(force_content, BOOL), .default_text = "false",
     .doc = "Whether text is below `content` even where there are no attributes."},
    {.name = "suppress_empty", XML_AT(suppress_empty, BOOL), .default_text = "true",
     .doc = "Whether empty elements are left out; if not, they are empty hashes."},
    {.name = "namespaces", XML_AT(namespaces, HASH), .default_text = "{}",
     .doc = "Prefixes for XPath with their name spaces; by default those of the root element."},
    {.name = "remove_namespaces", XML_AT(remove_namespaces, BOOL), .default_text = "false",
     .doc = "Whether XPath sees all names without name spaces."},
    {.name = "parse_options", XML_AT(options_text, STRING),
     .doc = "Nokogiri's options, with commas or | between: strict (malformed text is a failure "
            "for XPath, too), recover, noblanks, nocdata, nsclean, pedantic. Nothing is ever "
            "loaded from files or the network."},
    {0}};
/* clang-format on */

const struct filter_ops filter_xml = {
    .name = "xml",
    .doc = "Parses XML text in a field into fields.",
    .settings = xml_settings,
    .cfg_size = sizeof(struct xml_cfg),
    .state_size = sizeof(struct xml_state),
    .compile = xml_compile,
    .start = xml_start,
    .apply = xml_apply,
    .stop = xml_stop,
    .stats = xml_stats,
};
