/*
 * es.c - what the fake Elasticsearch answers.
 *
 * Start-up calls as a version 8 cluster with a basic licence gives them, bulk requests from the
 * script and the options, and for tests and benches
 * /_sink/stats, /_sink/script (a new script) /_sink/loss ("1" or "0": account for
 * markers, and for delays from then on)
 * and /_sink/discard ("1" or "0": as --discard).
 */
#include <string.h>
#include <zlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "tools/sink/http.h"

static const char *reason(uint32_t status)
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 413: return "Request Entity Too Large";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    default: return "Status";
    }
}

static void respond(struct sink *s, struct http *h, uint32_t status, const char *type, slice body,
                    const char *more)
{
    bool head = slice_equal(h->request.method, SLICE("HEAD"));
    s->stats.status[status]++;
    buf_printf(&h->out, "HTTP/1.1 %u %s\r\n", status, reason(status));
    if (!s->opt.opensearch) buf_add_cstr(&h->out, "X-elastic-product: Elasticsearch\r\n");
    if (body.n > 0) buf_printf(&h->out, "content-type: %s\r\n", type);
    buf_printf(&h->out, "%scontent-length: %u\r\n\r\n", more, body.n);
    if (!head) buf_add_slice(&h->out, body);
    if (slice_equal_nocase(request_header(&h->request, SLICE("connection")), SLICE("close")))
        h->close_after = true;
}

static void respond_json(struct sink *s, struct http *h, uint32_t status, slice body)
{
    respond(s, h, status, "application/json", body, "");
}

static const char *error_type(uint32_t status)
{
    switch (status) {
    case 400: return "document_parsing_exception";
    case 401:
    case 403: return "security_exception";
    case 404: return "index_not_found_exception";
    case 409: return "version_conflict_engine_exception";
    case 429: return "es_rejected_execution_exception";
    default: return "exception";
    }
}

static void respond_error(struct sink *s, struct http *h, const struct fault *f)
{
    static const slice html =
        SLICE("<html><head><title>Bad gateway</title></head><body>proxy error</body></html>");
    struct buf body = {0};
    char more[64] = "";
    if (f->retry_after_sec >= 0)
        snprintf(more, sizeof(more), "Retry-After: %d\r\n", f->retry_after_sec);
    if (f->body == BODY_HTML) {
        respond(s, h, f->status, "text/html", html, more);
        return;
    }
    if (f->body == BODY_JSON)
        buf_printf(&body, "{\"error\":{\"type\":\"%s\",\"reason\":\"scripted\"},\"status\":%u}",
                   error_type(f->status), f->status);
    respond(s, h, f->status, "application/json", buf_slice(&body), more);
    buf_fini(&body);
}

/* ---- bulk ---- */

static bool body_inflate(struct http *h)
{
    z_stream z = {.next_in = (Bytef *)h->body.data, .avail_in = (uInt)h->body.n};
    struct buf out = {0};
    int code = Z_OK;
    if (inflateInit2(&z, 15 + 16) != Z_OK) return false;
    while (code == Z_OK) {
        buf_room(&out, 256 * 1024);
        z.next_out = (Bytef *)buf_end(&out);
        z.avail_out = 256 * 1024;
        code = inflate(&z, Z_NO_FLUSH);
        out.n += 256 * 1024 - z.avail_out;
    }
    inflateEnd(&z);
    buf_fini(&h->body);
    h->body = out;
    return code == Z_STREAM_END;
}

bool es_head(struct sink *s, struct http *h)
{
    struct request *r = &h->request;
    const struct fault *f;
    slice path = r->path;
    r->keep = true;
    r->bulk = slice_ends(path, SLICE("/_bulk"));
    if (!r->bulk) return true;
    r->nth = ++s->stats.bulk_requests;
    f = script_answer(&s->script, r->nth);
    if (f != NULL && f->kind == FAULT_RESET_EARLY) {
        h->reset_now = true;
        return false;
    }
    r->keep = s->capture != NULL || s->opt.loss || s->opt.answer == ANSWER_FULL ||
              script_has_items(&s->script, r->nth) || (r->gzip && r->documents_claimed < 0);
    return true;
}

static slice line_next(slice *text)
{
    int64_t end = slice_find_byte(*text, '\n');
    slice line;
    if (end < 0) {
        line = *text;
        *text = SLICE_NONE;
        return line;
    }
    line = slice_part(*text, 0, (uint32_t)end);
    *text = slice_from(*text, (uint32_t)end + 1);
    return line;
}

/* The action's name: the first key of its line. */
static slice action_name(slice line)
{
    int64_t open = slice_find_byte(line, '"'), end;
    slice name;
    if (open < 0) return SLICE_NONE;
    name = slice_from(line, (uint32_t)open + 1);
    end = slice_find_byte(name, '"');
    if (end < 0) return SLICE_NONE;
    name.n = (uint32_t)end;
    if (slice_equal(name, SLICE("index")) || slice_equal(name, SLICE("create")) ||
        slice_equal(name, SLICE("update")) || slice_equal(name, SLICE("delete")))
        return name;
    return SLICE_NONE;
}

static void item_write(const struct sink *s, struct buf *out, slice name, uint32_t status,
                       uint64_t number)
{
    buf_printf(out, "{\"%.*s\":{\"status\":%u", SLICE_FMT(name), status);
    if (s->opt.answer == ANSWER_FULL)
        buf_printf(out, ",\"_index\":\"sink\",\"_id\":\"s%lu\",\"_version\":1", number);
    if (status >= 300)
        buf_printf(out, ",\"error\":{\"type\":\"%s\",\"reason\":\"scripted\"}", error_type(status));
    buf_add_cstr(out, "}},");
}

static void capture_item(struct sink *s, const struct request *r, slice action, slice doc,
                         uint32_t status)
{
    if (s->capture == NULL) return;
    fprintf(s->capture, "{\"request\":%lu,\"status\":%u,\"action\":%.*s,\"doc\":%.*s}\n", r->nth,
            status, SLICE_FMT(action), doc.n > 0 ? (int)doc.n : 4, doc.n > 0 ? doc.p : "null");
}

struct bulk {
    uint64_t accepted, failed;
    int64_t now_ns; /* when the request was read */
    struct buf items;
    bool malformed;
};

static void bulk_walk(struct sink *s, struct http *h, struct bulk *b)
{
    slice text = buf_slice(&h->body);
    if (text.n == 0 || text.p[text.n - 1] != '\n') b->malformed = true;
    while (text.n > 0 && !b->malformed) {
        slice action = line_next(&text), doc = SLICE_NONE;
        slice name = action_name(action);
        uint32_t status;
        if (action.n == 0 && text.n == 0) break;
        if (name.n == 0) {
            b->malformed = true;
            break;
        }
        if (!slice_equal(name, SLICE("delete"))) doc = line_next(&text);
        status = script_item(&s->script, h->request.nth, doc);
        if (status == 0) status = slice_equal(name, SLICE("update")) ? 200 : 201;
        if (status < 300) {
            b->accepted++;
            if (s->opt.loss) markers_note(&s->markers, doc);
            if (s->opt.loss) delays_note(&s->delays, doc, b->now_ns);
        } else {
            b->failed++;
        }
        if (s->opt.answer != ANSWER_MINIMAL || b->failed > 0 ||
            script_has_items(&s->script, h->request.nth))
            item_write(s, &b->items, name, status, s->stats.documents + b->accepted);
        capture_item(s, &h->request, action, doc, status);
    }
    if (s->capture != NULL) fflush(s->capture);
}

/* Documents of a request that is not answered with success. */
static uint64_t bulk_count(const struct http *h)
{
    const struct request *r = &h->request;
    if (r->documents_claimed >= 0) return (uint64_t)r->documents_claimed;
    if (!r->keep) return r->newlines / 2;
    uint64_t lines = 0;
    for (slice text = buf_slice(&h->body); text.n > 0; lines++) line_next(&text);
    return lines / 2;
}

static void bulk_success(struct sink *s, struct http *h)
{
    static const slice same = SLICE("{\"create\":{\"status\":201}},");
    struct request *r = &h->request;
    struct bulk b = {.now_ns = clock_mono_ns()};
    struct buf body = {0};
    if (r->keep) {
        bulk_walk(s, h, &b);
    } else {
        b.accepted = r->documents_claimed >= 0 ? (uint64_t)r->documents_claimed : r->newlines / 2;
        if (s->opt.answer != ANSWER_MINIMAL) {
            buf_room(&b.items, b.accepted * same.n);
            for (uint64_t i = 0; i < b.accepted; i++) buf_add_slice(&b.items, same);
        }
    }
    if (b.malformed) {
        s->stats.malformed++;
        respond_json(
            s, h, 400,
            SLICE("{\"error\":{\"type\":\"illegal_argument_exception\",\"reason\":"
                  "\"Malformed action/metadata line or missing newline\"},\"status\":400}"));
        buf_fini(&b.items);
        return;
    }
    s->stats.documents += b.accepted;
    s->stats.documents_failed += b.failed;
    if (b.accepted > 0) stats_arrived(&s->stats);
    buf_printf(&body, "{\"took\":1,\"errors\":%s,\"items\":[", b.failed > 0 ? "true" : "false");
    if (b.items.n > 0) buf_add(&body, b.items.data, b.items.n - 1);
    buf_add_cstr(&body, "]}");
    respond_json(s, h, 200, buf_slice(&body));
    buf_fini(&body);
    buf_fini(&b.items);
}

static void bulk_answer(struct sink *s, struct http *h)
{
    struct request *r = &h->request;
    const struct fault *f = script_answer(&s->script, r->nth);
    uint64_t delay_ms = s->opt.answer_delay_ms + script_delay_ms(&s->script, r->nth);
    size_t begin = h->out.n;
    s->stats.body_bytes += r->body_bytes;
    if (delay_ms > 0) h->due_ns = clock_mono_ns() + (int64_t)delay_ms * NS_PER_MS;
    if (f != NULL && f->kind != FAULT_CUT) {
        s->stats.documents_unanswered += bulk_count(h);
        if (f->kind == FAULT_STATUS) respond_error(s, h, f);
        if (f->kind == FAULT_RESET) h->reset_now = true;
        if (f->kind == FAULT_CLOSE) h->close_after = true;
        return;
    }
    if (r->gzip && r->keep && !body_inflate(h)) {
        s->stats.malformed++;
        respond_json(
            s, h, 400,
            SLICE("{\"error\":{\"type\":\"parse_exception\",\"reason\":\"gzip\"},\"status\":400}"));
        return;
    }
    bulk_success(s, h);
    if (f != NULL) {
        if (h->out.n > begin + f->n) h->out.n = begin + f->n;
        h->close_after = true;
    }
}

/* ---- everything else ---- */

static void request_log(struct sink *s, const struct http *h)
{
    const struct request *r = &h->request;
    struct buf out = {0};
    if (s->requests == NULL) return;
    buf_add_cstr(&out, "{\"method\":");
    buf_add_json(&out, r->method);
    buf_add_cstr(&out, ",\"path\":");
    buf_add_json(&out, r->path);
    buf_add_cstr(&out, ",\"query\":");
    buf_add_json(&out, r->query);
    buf_add_cstr(&out, ",\"headers\":{");
    for (uint32_t i = 0; i < r->headers_n; i++) {
        if (i > 0) buf_add_byte(&out, ',');
        buf_add_json(&out, r->headers[i].name);
        buf_add_byte(&out, ':');
        buf_add_json(&out, r->headers[i].value);
    }
    buf_printf(&out, "},\"bytes\":%lu,\"body\":", r->body_bytes);
    buf_add_json(&out, r->bulk ? SLICE_NONE : buf_slice(&h->body));
    buf_add_cstr(&out, "}\n");
    fwrite(out.data, 1, out.n, s->requests);
    fflush(s->requests);
    buf_fini(&out);
}

static void root_answer(struct sink *s, struct http *h)
{
    struct buf body = {0};
    buf_printf(
        &body,
        "{\"name\":\"sink\",\"cluster_name\":\"sink\",\"cluster_uuid\":\"sinksinksinksinksinksi\","
        "\"version\":{%s\"number\":\"%s\",\"build_flavor\":\"default\"},\"tagline\":\"%s\"}",
        s->opt.opensearch ? "\"distribution\":\"opensearch\"," : "", s->opt.version,
        s->opt.opensearch ? "The OpenSearch Project: https://opensearch.org/"
                          : "You Know, for Search");
    respond_json(s, h, 200, buf_slice(&body));
    buf_fini(&body);
}

static void control_answer(struct sink *s, struct http *h)
{
    struct buf body = {0};
    uint32_t line;
    if (slice_ends(h->request.path, SLICE("/script"))) {
        if (script_parse(&s->script, buf_slice(&h->body), &line) == ERR_OK) {
            /* Rules count from the moment they are set. */
            s->stats.bulk_requests = 0;
            respond_json(s, h, 200, SLICE("{}"));
        } else {
            buf_printf(&body, "{\"error\":\"script line %u\"}", line);
            respond_json(s, h, 400, buf_slice(&body));
        }
    } else if (slice_ends(h->request.path, SLICE("/loss"))) {
        s->opt.loss = slice_equal(buf_slice(&h->body), SLICE("1"));
        memset(&s->delays, 0, sizeof(s->delays));
        respond_json(s, h, 200, SLICE("{}"));
    } else if (slice_ends(h->request.path, SLICE("/discard"))) {
        s->opt.discard = slice_equal(buf_slice(&h->body), SLICE("1"));
        respond_json(s, h, 200, SLICE("{}"));
    } else {
        stats_write(s, &body);
        respond_json(s, h, 200, buf_slice(&body));
    }
    buf_fini(&body);
}

static void other_answer(struct sink *s, struct http *h)
{
    const struct request *r = &h->request;
    const struct fault *f = script_path(&s->script, r->method, r->path);
    if (f != NULL) {
        respond_json(s, h, f->status, f->text != NULL ? slice_from_cstr(f->text) : SLICE("{}"));
    } else if (slice_equal(r->path, SLICE("/"))) {
        root_answer(s, h);
    } else if (slice_equal(r->path, SLICE("/_license")) && !s->opt.opensearch) {
        respond_json(
            s, h, 200,
            SLICE("{\"license\":{\"status\":\"active\",\"type\":\"basic\",\"uid\":\"sink\"}}"));
    } else if (slice_equal(r->path, SLICE("/_cluster/health"))) {
        respond_json(s, h, 200, SLICE("{\"status\":\"green\"}"));
    } else if (slice_equal(r->method, SLICE("PUT")) || slice_equal(r->method, SLICE("POST"))) {
        respond_json(s, h, 200, SLICE("{\"acknowledged\":true}"));
    } else {
        respond_json(s, h, 404,
                     SLICE("{\"error\":{\"type\":\"resource_not_found_exception\",\"reason\":"
                           "\"none\"},\"status\":404}"));
    }
}

static bool authorised(const struct sink *s, const struct request *r)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char plain[256], coded[400] = "Basic ";
    size_t n, at = 6;
    if (s->opt.user == NULL) return true;
    n = (size_t)snprintf(plain, sizeof(plain) - 3, "%s:%s", s->opt.user, s->opt.password);
    ASSERT(n < sizeof(plain) - 3);
    memset(plain + n, 0, 3);
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)(uint8_t)plain[i] << 16 | (uint32_t)(uint8_t)plain[i + 1] << 8 |
                         (uint8_t)plain[i + 2];
        coded[at++] = alphabet[three >> 18];
        coded[at++] = alphabet[three >> 12 & 63];
        coded[at++] = i + 1 < n ? alphabet[three >> 6 & 63] : '=';
        coded[at++] = i + 2 < n ? alphabet[three & 63] : '=';
    }
    return slice_equal(request_header(r, SLICE("authorization")), slice_make(coded, at));
}

void es_answer(struct sink *s, struct http *h)
{
    static const struct fault unauthorised = {
        .kind = FAULT_STATUS, .status = 401, .retry_after_sec = -1};
    struct request *r = &h->request;
    if (slice_starts(r->path, SLICE("/_sink/"))) {
        control_answer(s, h);
        return;
    }
    s->stats.requests++;
    request_log(s, h);
    if (s->opt.prefix != NULL) {
        if (!slice_starts(r->path, slice_from_cstr(s->opt.prefix))) {
            respond_json(s, h, 404, SLICE("{\"error\":\"outside the prefix\"}"));
            return;
        }
        r->path = slice_from(r->path, (uint32_t)strlen(s->opt.prefix));
        if (r->path.n == 0) r->path = SLICE("/");
    }
    if (!authorised(s, r))
        respond_error(s, h, &unauthorised);
    else if (r->bulk)
        bulk_answer(s, h);
    else
        other_answer(s, h);
}
