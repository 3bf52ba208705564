/*
 * csv_date.h - the dates and times that Ruby's CSV converters :date and :date_time recognise.
 *
 * "2024-03-05", "Mar 5, 2024", "Tue, March 5 24"; "2024-03-05 06:07", "2024-03-05T06:07:08+01:00",
 * "Tue Mar 5 06:07:08 2024". Other text is not converted. Pure: any thread.
 * Facts: the documentation of CSV::Converters, Date.parse and DateTime.parse.
 */
#ifndef PARSERS_TEXT_CSV_DATE_H
#define PARSERS_TEXT_CSV_DATE_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

/* Days since 1970. */
bool csv_date_parse(slice text, int64_t *days);
/* Nanoseconds since 1970; without a zone the text is UTC. */
bool csv_date_time_parse(slice text, int64_t *ns);

#endif
