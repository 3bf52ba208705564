/*
 * grok.h - grok: pattern dictionaries, and sets of patterns that compete for a line.
 *
 * A struct grok_dict maps names to pattern texts, in layers (library below, patterns_dir files
 * above it, pattern_definitions on top); it is only needed while sets are made. A struct grok_set
 * is one `match` list: the first pattern in order that matches a line wins. Sets are made and
 * freed by the control thread, immutable to their users and shared by all shards; each shard
 * brings its own struct grok_scratch. Matching never allocates in the steady state.
 *
 * How a line is matched (docs/architecture.md, Grok): patterns whose required literals are not in
 * the line are never tried; candidates run a small program where it provably equals backtracking
 * (program.h) and PCRE2 with JIT on the same expression otherwise.
 */
#ifndef PARSERS_GROK_GROK_H
#define PARSERS_GROK_GROK_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/buf.h"
#include "engine/base/cpu.h"
#include "engine/base/err.h"
#include "engine/base/slice.h"
#include "parsers/grok/regex.h"

#define GROK_EXPANSIONS_MAX 10000u /* %{..} replaced in one pattern, as Logstash bounds it */
#define GROK_PATTERNS_MAX 4096u    /* of one set */

/* Raises the kernels; see parsers/init.h. */
void grok_init(enum cpu_level level);

/* ---- dictionaries ---------------------------------------------------------------------- */

struct grok_dict;

/* `below` (may be NULL) is asked for names this layer lacks; it must outlive the new layer. */
struct grok_dict *grok_dict_new(const struct grok_dict *below);
void grok_dict_free(struct grok_dict *);
/* Copies both; a later definition of a name replaces the earlier. */
void grok_dict_set(struct grok_dict *, slice name, slice pattern);
/* Adds the lines of a pattern file: NAME, white space, expression; '#' starts a comment line. */
void grok_dict_add_text(struct grok_dict *, slice text);
/* Reads one pattern file; ERR_SYSTEM with errno, ERR_LIMIT above 16 MB. */
MUST_USE err grok_dict_add_file(struct grok_dict *, const char *path);
bool grok_dict_get(const struct grok_dict *, slice name, slice *pattern);
/* Layer for a library that has its own table: `lookup` is asked after the layer's own names. */
void grok_dict_lookup(struct grok_dict *, bool (*lookup)(void *, slice name, slice *pattern),
                      void *opaque);

/*
 * Replaces every %{NAME}, %{NAME:field}, %{NAME:field:type} and %{NAME:field=regex}. The groups
 * are named by the text between the braces, as Logstash does. `out` is appended to.
 */
MUST_USE err grok_expand(const struct grok_dict *, slice pattern, bool named_captures_only,
                         struct buf *out, struct grok_error *error);

/* ---- sets ------------------------------------------------------------------------------ */

enum grok_coerce { GROK_STRING, GROK_INT, GROK_FLOAT };

/* One value a pattern yields; order is the one Logstash stores them in. */
struct grok_capture {
    slice field; /* field reference text: name or [a][b] */
    enum grok_coerce coerce;
};

struct grok_options {
    bool capture_all;       /* named_captures_only => false */
    bool no_program;        /* PCRE2 only; tests and measurements */
    bool no_selection;      /* try every pattern; tests and measurements */
    uint32_t match_limit;   /* 0: REGEX_MATCH_LIMIT */
    uint32_t program_after; /* lines a pattern sees before its program is built; 0: default */
    const char *cache_dir;  /* Hyperscan databases are kept here; NULL: nowhere */
};

enum grok_status { GROK_NO_MATCH, GROK_MATCH, GROK_LIMIT };

struct grok_result {
    uint32_t winner;     /* index of the pattern, when GROK_MATCH */
    uint32_t n;          /* captures, as grok_set_captures(set, winner) lists them */
    const slice *values; /* parts of the line; p == NULL when the group took no part */
    slice whole;         /* all the pattern matched */
    uint32_t limited;    /* patterns that hit the match limit before the winner was found */
};

struct grok_set;
struct grok_scratch;

/*
 * Compiles `patterns` (unexpanded) in order. On failure NULL, and *error names the pattern. The
 * dictionary may be freed afterwards. `options` may be NULL.
 */
struct grok_set *grok_set_new(const slice *patterns, uint32_t n, const struct grok_dict *,
                              const struct grok_options *options, struct grok_error *error);
void grok_set_free(struct grok_set *);
uint32_t grok_set_size(const struct grok_set *);
const struct grok_capture *grok_set_captures(const struct grok_set *, uint32_t pattern,
                                             uint32_t *n);

/* One per thread and set. */
struct grok_scratch *grok_scratch_new(const struct grok_set *);
void grok_scratch_free(struct grok_scratch *);

/*
 * First pattern at or after index `first` that matches. GROK_LIMIT: none matched and at least one
 * hit its limit (the caller reports it as Logstash reports a timeout). Results live in the scratch
 * until the next call. `first` > 0 serves break_on_match => false: call again with winner + 1.
 */
enum grok_status grok_match(const struct grok_set *, struct grok_scratch *, slice line,
                            uint32_t first, struct grok_result *);

/* Writes, per pattern: literals, engine and why; for people. Builds the programs it describes. */
void grok_set_explain(const struct grok_set *, struct buf *out);

#endif
