/*
 * ruby_text.h - values as the filters written in Ruby turn them into text.
 *
 * Ruby's to_s: scalars as sprintf shows them, lists and hashes in their inspect form
 * ([1, "a", nil], {"a"=>1}). sprintf itself joins lists with commas and writes hashes as JSON:
 * that is value_text. Any thread.
 */
#ifndef ENGINE_PLAN_RUBY_TEXT_H
#define ENGINE_PLAN_RUBY_TEXT_H
#include "engine/event/value.h"

/* Appends v.to_s. */
void ruby_text(struct value *v, struct arena *arena, struct buf *out);
/* v.to_s: the value's own bytes when it is a string, else arena memory. */
slice ruby_text_slice(struct value *v, struct arena *arena, struct buf *scratch);

#endif
