/*
 * grok_report.h - how a set of grok patterns works, for people.
 *
 * Per pattern: the literals lines are preselected by, the engine that runs it and why; with sample
 * lines also which pattern matched how many of them and what share of the time that took. Control
 * thread.
 */
#ifndef ENGINE_PLAN_GROK_REPORT_H
#define ENGINE_PLAN_GROK_REPORT_H
#include "engine/base/buf.h"
#include "parsers/grok/grok.h"

/* `patterns` are the texts the set was made of; `sample` is lines of text, or empty. */
void grok_report(const struct grok_set *set, const slice *patterns, slice sample, struct buf *out);

#endif
