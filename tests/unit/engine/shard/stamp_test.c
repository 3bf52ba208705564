/* Stamps: set where absent, own maps for every event, one prototype per batch. */
#include "engine/shard/stamp.h"

#include "tests/unit/t.h"

struct place {
    struct page_pool pool;
    struct arena keys;
    struct batch b;
    struct fieldref host, ip, meta, deep;
    struct stamp stamp;
};

static void ref(struct place *p, struct fieldref *out, const char *text)
{
    assert_int_equal(fieldref_parse(out, slice_from_cstr(text), &p->keys), ERR_OK);
}

static void place_init(struct place *p)
{
    memset(p, 0, sizeof(*p));
    page_pool_init(&p->pool, SIZE_MAX);
    arena_init(&p->keys, &p->pool);
    batch_init(&p->b, &p->pool);
    ref(p, &p->host, "[host][name]");
    ref(p, &p->ip, "[host][ip]");
    ref(p, &p->meta, "[@metadata][input][tcp][port]");
    ref(p, &p->deep, "[@metadata][input][tcp][name]");
    char name[] = "gw1";
    stamp_add(&p->stamp, &p->host, value_string(slice_from_cstr(name)));
    stamp_add(&p->stamp, &p->ip, value_string(SLICE("10.0.0.1")));
    stamp_add(&p->stamp, &p->meta, value_int(99));
    stamp_add(&p->stamp, &p->deep, value_string(SLICE("peer")));
    memset(name, '#', 3); /* the stamp has a copy */
}

static void place_fini(struct place *p)
{
    stamp_fini(&p->stamp);
    batch_fini(&p->b);
    arena_fini(&p->keys);
    page_pool_fini(&p->pool);
}

static slice text_at(struct place *p, uint32_t at, const struct fieldref *r)
{
    struct value *v = event_get(&p->b, &p->b.event[at], r);
    assert_non_null(v);
    assert_int_equal(v->type, VALUE_STRING);
    return value_slice(v);
}

static void test_fresh_events(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    for (uint64_t serial = 1; serial < 4; serial++) {
        batch_add(&p.b);
        batch_add(&p.b);
        stamp_apply(&p.stamp, &p.b, serial, 0);
        for (uint32_t i = 0; i < 2; i++) {
            assert_slice_equal(text_at(&p, i, &p.host), SLICE("gw1"));
            assert_slice_equal(text_at(&p, i, &p.ip), SLICE("10.0.0.1"));
            assert_slice_equal(text_at(&p, i, &p.deep), SLICE("peer"));
            assert_int_equal(event_get(&p.b, &p.b.event[i], &p.meta)->u.num, 99);
        }
        /* A change of one event does not show in the other. */
        err e = event_put(&p.b, &p.b.event[0], &p.host, value_string(SLICE("changed")));
        assert_int_equal(e, ERR_OK);
        assert_slice_equal(text_at(&p, 1, &p.host), SLICE("gw1"));
        batch_reset(&p.b);
    }
    place_fini(&p);
}

static void test_only_where_absent(void **state)
{
    (void)state;
    struct place p;
    place_init(&p);
    struct fieldref whole;
    ref(&p, &whole, "host");
    err e = event_put(&p.b, batch_add(&p.b), &p.host, value_string(SLICE("mine")));
    assert_int_equal(e, ERR_OK);
    e = event_put(&p.b, batch_add(&p.b), &whole, value_string(SLICE("scalar")));
    assert_int_equal(e, ERR_OK);
    e = event_put(&p.b, batch_add(&p.b), &p.meta, value_int(1));
    assert_int_equal(e, ERR_OK);
    stamp_apply(&p.stamp, &p.b, 1, 0);
    assert_slice_equal(text_at(&p, 0, &p.host), SLICE("mine"));
    assert_slice_equal(text_at(&p, 0, &p.ip), SLICE("10.0.0.1"));
    assert_slice_equal(text_at(&p, 1, &whole), SLICE("scalar"));
    assert_int_equal(event_get(&p.b, &p.b.event[2], &p.meta)->u.num, 1);
    assert_slice_equal(text_at(&p, 2, &p.deep), SLICE("peer"));
    place_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fresh_events),
                                       cmocka_unit_test(test_only_where_absent)};
    return T_RUN(tests);
}
