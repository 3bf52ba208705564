/*
 * checks.h - the lints, as lints.def lists them, and the steps before they run.
 *
 * Private to engine/lint; control thread.
 */
#ifndef ENGINE_LINT_CHECKS_H
#define ENGINE_LINT_CHECKS_H
#include "engine/lint/check.h"

/* Fills the lists of plugins and conditions. */
void lint_flatten(struct lint *l);

void lint_condition_tags(struct lint *l);
void lint_condition_type(struct lint *l);
void lint_condition_order(struct lint *l);
void lint_condition_variable(struct lint *l);
void lint_condition_branch(struct lint *l);
void lint_always_true(struct lint *l);
void lint_line_anchor(struct lint *l);
void lint_regex_slow(struct lint *l);
void lint_regex_impossible(struct lint *l);
void lint_grok_shadowed(struct lint *l);
void lint_grok_append(struct lint *l);
void lint_grok_coercion(struct lint *l);
void lint_grok_token(struct lint *l);
void lint_incomplete(struct lint *l);
void lint_grok_break(struct lint *l);
void lint_ecs_field(struct lint *l);
void lint_missing_field(struct lint *l);
void lint_add_field(struct lint *l);
void lint_mutate_order(struct lint *l);
void lint_string_escape(struct lint *l);
void lint_unreachable(struct lint *l);
void lint_date_literal_z(struct lint *l);
void lint_date_letters(struct lint *l);
void lint_week_year(struct lint *l);
void lint_dotted_field(struct lint *l);
void lint_document_id(struct lint *l);
void lint_data_stream(struct lint *l);
void lint_duplicate_output(struct lint *l);
void lint_joined_pipelines(struct lint *l);
void lint_backup_file(struct lint *l);
void lint_output_newline(struct lint *l);
void lint_no_timestamp(struct lint *l);
void lint_datagram_lines(struct lint *l);
void lint_read_deletes(struct lint *l);
void lint_ruby_api(struct lint *l);

#endif
