/*
 * fuzz_filters_options.c - any text and any JSON events through the options of filters that
 * fuzz_filters.c, where all text filters stand in one row, does not set.
 *
 * The first byte of the input chooses a row of filters; each line behind it is an event: JSON when
 * it parses, else a message. What leaves must be JSON that can be read again. (No option has a time
 * in it: leak detection does not see what hangs on the plan's pages.)
 */
#include "tests/fuzz/fuzz_plan.h"

#include "parsers/json/json_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES_MAX 16u

static const char *const configs[] = {
    /* kv */
    "filter {"
    " kv { whitespace => strict field_split => '&?' value_split => '=:' prefix => 'p_' trim_value "
    "=>"
    "      ' \\-' trim_key => '<>' remove_char_key => '\\[\\]' transform_key => 'uppercase'"
    "      transform_value => 'lowercase' include_brackets => false allow_empty_values => true }"
    " kv { source => 'x' target => '[a][b]' include_keys => ['k', '%{k}'] exclude_keys => ['e']"
    "      default_keys => { 'd' => '%{x}' } allow_duplicate_values => false tag_on_failure => "
    "['f']"
    "      recursive => true transform_key => 'lowercase' transform_value => 'uppercase' }"
    " kv { source => 'message' target => 'tags' whitespace => lenient include_brackets => true"
    "      timeout_millis => 5 tag_on_timeout => 't' }"
    " kv { source => 'l' field_split_pattern => '[,;]' value_split_pattern => '(?<==)|:'"
    "      transform_key => 'capitalize' remove_char_value => '\\d' prefix => '%{k}.' }"
    " kv { source => '[h][k]' target => '@timestamp' } }",
    /* xml */
    "filter {"
    " xml { source => 'message' target => 'a' namespaces => { 'n' => 'urn:n' } xpath => { '//n:b' "
    "=>"
    "       '[x][y]' '//@*' => 'at' 'count(//*)' => 'c' '//text()' => 'tags' } }"
    " xml { source => 'message' target => 'b' force_array => false remove_namespaces => true xpath "
    "=>"
    "       { '/r/c/text()' => 'x' } }"
    " xml { source => 'x' target => '[h][doc]' force_content => true suppress_empty => false }"
    " xml { source => 'l' store_xml => false parse_options => 'strict' xpath => { '//a' => 'q' } }"
    " xml { source => 'message' target => 'd' parse_options => 'no_blanks | nocdata, recover'"
    "       force_array => false force_content => true xpath => { '/r/node()' => 'n' } } }",
    /* grok */
    "filter {"
    " grok { match => { 'message' => ['%{A:a:int} %{B:[b][c]:float}?', "
    "'^%{WORD:w}(?:,%{WORD:w})*$',"
    "        '(?<x>a|b)*c'] } pattern_definitions => { 'A' => '[0-9a-f]+' 'B' => '\\S*' }"
    "        named_captures_only => false keep_empty_captures => true target => '[g][t]'"
    "        timeout_millis => 3 timeout_scope => 'event' tag_on_timeout => 'late' }"
    " grok { match => { 'x' => '%{GREEDYDATA:x}=%{DATA:message}$' 'l' => '%{TAIL:tags}' }"
    "        overwrite => ['message', 'x'] break_on_match => false patterns_dir =>"
    "        ['tests/spec/codecs/multiline/patterns'] tag_on_failure => [] }"
    " grok { match => ['message', '%{COMBINEDAPACHELOG}', 'message', '%{SYSLOGLINE}']"
    "        ecs_compatibility => v8 timeout_millis => 0 target => 'tags' } }",
    /* date */
    "filter {"
    " date { match => ['message', 'UNIX_MS', 'TAI64N', 'dd/MMM/yyyy:HH:mm:ss Z', 'yyyy-MM-dd'] }"
    " date { match => ['x', 'EEEE dd MMMM yyyy HH:mm', 'ISO8601'] locale => 'de' timezone =>"
    "        'Europe/Berlin' target => '[a][b]' tag_on_failure => ['a', 'b'] }"
    " date { match => ['[h][k]', 'UNIX', 'hh:mm a'] target => 'tags' locale => 'pt_BR' }"
    " date { match => ['l', 'ISO8601', 'w xxxx e'] target => 'l' timezone => '%{z}' }"
    " date { match => ['n', 'UNIX'] target => '[@metadata][t]' } }",
    /* dissect, csv, json, split, truncate */
    "filter {"
    " dissect { mapping => { 'message' => '<%{p}>%{?s->} %{&s}:%{+a/3} %{+a/1}|%{}%{@metadata}' 'x'"
    "           => '%{[h][k]}=%{message}' 'l' => '%{tags},%{->}' } convert_datatype => { 'p' => "
    "'int'"
    "           'a' => 'float' '[h][k]' => 'int' } tag_on_failure => ['no'] }"
    " csv { source => 'message' columns => ['a', 'b'] autogenerate_column_names => false separator "
    "=>"
    "       '\\t' skip_empty_rows => true quote_char => \"'\" }"
    " csv { source => 'x' autodetect_column_names => true skip_header => true convert => { 'a' =>"
    "       'date_time' 'b' => 'float' } }"
    " json { source => 'message' target => 'tags' skip_on_invalid_json => true }"
    " json { source => 'x' tag_on_failure => ['j'] add_field => { '%{a}' => '%{b}' } }"
    " split { field => 'l' terminator => ',' } split { field => 'message' terminator => 'ab' "
    "target =>"
    "         '[h][s]' }"
    " truncate { fields => ['message', '[h][k]', 'l'] length_bytes => 3 }"
    " truncate { fields => ['%{x}', 'x'] length_bytes => 1 } }",
    /* What is small. */
    "filter {"
    " tld { } tld { source => 'x' target => '[a][b]' } tld { source => 'l' target => 'tags' }"
    " i18n { transliterate => ['message', '[h][k]', 'l', 'no'] }"
    " environment { add_field_from_env => { 'x' => 'NONE_SUCH' '[e][h]' => 'HOME' }"
    "               add_metadata_from_env => { 'm' => 'HOME' } }"
    " uuid { target => 'u' } uuid { target => '[h][k]' overwrite => true } uuid { target => 'tags' "
    "}"
    " cipher { mode => encrypt algorithm => 'aes-128-cbc' key => 'k' iv_random_length => 16 source "
    "=>"
    "          'message' target => 'c' }"
    " cipher { mode => decrypt algorithm => 'aes-128-cbc' key => 'k' iv_random_length => 16 source "
    "=>"
    "          'x' target => '[h][c]' }"
    " cipher { mode => decrypt algorithm => 'aes-256-ctr' key => 'k' key_size => 32 "
    "iv_random_length "
    "=>"
    "          16 base64 => false source => 'l' target => 'l' max_cipher_reuse => 2 }"
    " useragent { source => 'message' regexes => 'tests/spec/useragent/rules.yaml' target => 'ua'"
    "             prefix => 'p_' ecs_compatibility => disabled lru_cache_size => 2 }"
    " useragent { source => 'x' target => '[h][ua]' ecs_compatibility => v8 }"
    " sleep { time => '0' every => 2 } sleep { time => '%{no}' every => '3' }"
    " if [drop] { drop { percentage => 50 } }"
    " prune { whitelist_names => ['^m', '^h$', 'tags', '^l$', '%{x}'] interpolate => true"
    "         whitelist_values => { 'message' => '^[^%]' 'l' => '%{x}' } } }",
    /* Dictionaries, names of fields, what changes other fields. */
    "filter {"
    " translate { source => 'message' target => 'message' dictionary_path =>"
    "             'tests/spec/translate/entries.yml' refresh_interval => 0 override => true }"
    " translate { source => '[h][k]' target => 'tags' dictionary_path =>"
    "             'tests/spec/translate/entries.csv' exact => true regex => true fallback => "
    "'%{x}' }"
    " translate { iterate_on => 'l' source => 'l' target => 't' dictionary_path =>"
    "             'tests/spec/translate/entries.json' refresh_interval => 0 }"
    " mutate { copy => { '[h]' => '[@metadata][h]' } rename => ['x', '[h][k][z]'] }"
    " mutate { replace => { '[%{k}]' => '%{[h]}' } update => { 'tags' => '%{l}' } }"
    " mutate { convert => { 'l' => 'integer_eu' '[h][k]' => 'float' } gsub => ['l', '.', '\\0\\0'] "
    "}"
    " mutate { coerce => { 'z' => '%{x}' } split => ['message', 'a'] join => ['l', '%{x}'] }"
    " mutate { merge => { 'tags' => 'l' } tag_on_failure => 'm' }"
    " de_dot { fields => ['message', 'a.b', '[h]', 'l'] separator => '_' }"
    " urldecode { field => 'l' charset => 'CP1252' tag_on_failure => ['u'] }"
    " bytes { source => '[h][k]' target => '[h][b]' conversion_method => 'metric' decimal_separator"
    "         => ',' } syslog_pri { use_labels => false } clone { clones => ['%{x}', 'c']"
    "         ecs_compatibility => v8 }"
    " fingerprint { source => ['l', 'h'] concatenate_sources => true method => 'IPV4_NETWORK' key "
    "=>"
    "               16 target => 'f' } fingerprint { method => 'UUID' target => '@timestamp' }"
    " fingerprint { source => ['message'] base64encode => true method => 'SHA1' target => 'tags' }"
    " range { ranges => ['l', 1, 3, 'drop', 'n', 0, 9, 'field:h:x'] negate => true }"
    " json_encode { source => 'h' target => '[h][j]' } json_encode { source => 'l' } }",
};

static struct fuzz_plan fuzz[sizeof(configs) / sizeof(configs[0])];

static void line_add(struct fuzz_plan *f, slice line)
{
    struct arena *arena = &f->batch.arena;
    slice text = arena_copy(arena, line);
    struct value doc;
    struct event *ev = batch_add(&f->batch);
    if (json_decode(&f->reader, text, JSON_FIRST, arena, &doc) >= 0 && doc.type == VALUE_MAP)
        event_adopt(&f->batch, ev, *doc.u.map);
    else if (utf8_valid(text))
        fuzz_plan_message(f, ev, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536) return 0;
    uint32_t at = data[0] % (sizeof(configs) / sizeof(configs[0]));
    struct fuzz_plan *f = &fuzz[at];
    fuzz_plan_make(f, configs[at]);
    slice rest = slice_make((const char *)data + 1, size - 1);
    for (uint32_t n = 0; n < LINES_MAX && rest.n > 0; n++) {
        int64_t end = slice_find_byte(rest, '\n');
        slice line = end < 0 || n + 1 == LINES_MAX ? rest : slice_part(rest, 0, (uint32_t)end);
        line_add(f, line);
        rest = line.n < rest.n ? slice_from(rest, line.n + 1) : SLICE_NONE;
    }
    fuzz_plan_run(f, false);
    return 0;
}
