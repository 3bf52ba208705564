/*
 * fuzz_filters.c - any text and any JSON event through all text filters at once.
 *
 * The input is an event: JSON when it parses, else a message. Filters must never crash, and what
 * they leave must be JSON that can be read again.
 */
#include "tests/fuzz/fuzz_plan.h"

#include "parsers/json/json_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
    "filter {"
    " grok { match => { 'message' => ['%{IP:ip} %{WORD:[a][b]} %{NUMBER:n:float}',"
    "        '(?<x>\\S+)=%{GREEDYDATA:message}'] 'tags' => '%{INT:tags}' } break_on_match => false "
    "}"
    " kv { source => 'message' recursive => true allow_duplicate_values => false trim_key => '<\\['"
    "      remove_char_value => '\\-x' transform_value => 'capitalize' }"
    " kv { field_split_pattern => ';+|, ' value_split_pattern => ':|=>' target => 'kv' }"
    " json { source => 'message' } json { source => 'x' target => '[a][b][c]' }"
    " date { match => ['message', 'ISO8601', 'MMM dd HH:mm:ss', 'UNIX'] timezone => '%{tz}' }"
    " mutate { rename => { '%{x}' => '%{a}' } }"
    " mutate { convert => { 'a' => 'integer' } } mutate { convert => { 'b' => 'float_eu' } }"
    " mutate { convert => { 'c' => 'boolean' 'd' => 'string' } }"
    " mutate { gsub => ['message', '(\\w)|^|$', '<\\1\\k<1>>\\0', 'x', '%{a}', '%{b}'] }"
    " mutate { uppercase => ['a', '[a][b]'] lowercase => 'b' capitalize => 'message' strip => 'c' }"
    " mutate { split => { 'message' => ' ' } } mutate { join => { 'message' => '' } }"
    " mutate { merge => { 'a' => 'message' 'b' => ['a', 'tags'] } copy => { 'a' => 'z' } }"
    " syslog_pri { syslog_pri_field_name => 'a' } clone { clones => ['c'] }"
    " csv { columns => ['a', '[a][b]'] convert => { 'a' => 'date' '[a][b]' => 'integer' } target "
    "=> 'z' }"
    " csv { source => 'x' separator => ';;' skip_empty_columns => true convert => { 'column2' => "
    "       'boolean' } }"
    " dissect { mapping => { 'message' => '%{+d/2->} %{?k}=%{&k},%{+d/1}' 'x' => '%{[a][b]} %{&a}' "
    "}"
    "           convert_datatype => { 'd' => 'int' 'b' => 'float' } }"
    " urldecode { all_fields => true } bytes { source => 'x' target => 'n' }"
    " translate { source => 'x' target => 'y' exact => false dictionary => { 'a' => 'b' '' => 'e' "
    "} }"
    " translate { source => 'message' target => 'y' regex => true dictionary => { '^a' => '1' "
    "'\\d' =>"
    "             '2' 'b+' => '3' 'c|d' => '4' 'é' => '5' } override => true fallback => '%{a}' }"
    " translate { iterate_on => 'l' source => 'k' target => '[v][w]' dictionary => { 'a' => ['b'] "
    "} }"
    " fingerprint { concatenate_all_fields => true method => 'SHA256' key => 'k' }"
    " fingerprint { source => ['message', 'l'] method => 'MURMUR3_128' target => '[f][p]' }"
    " fingerprint { source => ['message'] method => 'PUNCTUATION' target => 'p' }"
    " anonymize { fields => ['l', 'ip'] key => '24' algorithm => 'IPV4_NETWORK' }"
    " prune { interpolate => true blacklist_names => ['^%{x}$'] blacklist_values => { 'a' => "
    "'%{b}' } }"
    " cidr { address => ['%{ip}'] network => ['10.0.0.0/8', '%{x}'] add_tag => ['in'] }"
    " de_dot { nested => true recursive => true } throttle { key => '%{x}' after_count => 2 }"
    " range { ranges => ['message', 0, 5, 'field:%{x}:1', 'n', 0, 1, 'tag:%{a}'] }"
    " alter { condrewrite => ['a', '%{b}', '%{c}'] coalesce => ['q', '%{no}', '%{x}'] }"
    " metrics { meter => ['%{x}'] timer => { 't' => '%{n}' } }"
    " elapsed { start_tag => 's' end_tag => 'e' unique_id_field => 'x' new_event_on_match => true }"
    " split { field => 'l' target => 'one' } truncate { length_bytes => 9 }"
    " json_encode { source => 'z' }"
    " xml { source => 'message' target => 'b' xpath => { '//a' => 'c' } }"
    " geoip { source => 'ip' target => 'source' database => 'tests/spec/geoip/city.mmdb' }"
    " useragent { source => 'message' } useragent { source => 'ip' target => 'b' ecs_compatibility "
    "=> disabled }"
    " geoip { source => 'message' target => 'a' database => 'tests/spec/geoip/enterprise.mmdb' } }";

static struct fuzz_plan fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_plan_make(&fuzz, config);
    if (size > 65536) return 0;
    struct arena *arena = &fuzz.batch.arena;
    slice text = arena_copy(arena, slice_make((const char *)data, size));
    struct value doc;
    struct event *ev = batch_add(&fuzz.batch);
    if (json_decode(&fuzz.reader, text, JSON_FIRST, arena, &doc) >= 0 && doc.type == VALUE_MAP)
        event_adopt(&fuzz.batch, ev, *doc.u.map);
    else if (utf8_valid(text))
        fuzz_plan_message(&fuzz, ev, text);
    fuzz_plan_run(&fuzz, false);
    return 0;
}
