/*
 * fuzz_xml.c - any text through the xml filter: stored and queried, strict and not, with and
 * without name spaces. What it leaves must be text and JSON that can be read again.
 */
#include "tests/fuzz/fuzz_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
    "filter {"
    " xml { source => 'message' target => 'a' xpath => { '//*' => 'b' '//@*' => 'c' '//text()' => "
    "'d' 'count(//node())' => 'e' '/' => 'f' '//namespace::*' => 'g' } }"
    " xml { source => 'message' target => 'h' force_array => false force_content => true"
    "       suppress_empty => false remove_namespaces => true parse_options => 'noblanks,nocdata'"
    "       xpath => { '//*[@*]' => 'i' '//comment()' => 'j' } }"
    " xml { source => 'message' store_xml => false parse_options => 'strict|nsclean'"
    "       namespaces => { 'x' => 'urn:x' } xpath => { '//x:*' => 'k' 'string(/)' => 'l' } } }";

static struct fuzz_plan fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_plan_make(&fuzz, config);
    slice text = slice_make((const char *)data, size);
    if (size > 16384 || !utf8_valid(text)) return 0;
    struct event *ev = batch_add(&fuzz.batch);
    fuzz_plan_message(&fuzz, ev, arena_copy(&fuzz.batch.arena, text));
    fuzz_plan_run(&fuzz, true);
    return 0;
}
