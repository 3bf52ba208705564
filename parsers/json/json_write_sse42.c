/* json_write_sse42.c - see json_write_kernel.h and json_laid_out_kernel.h. */
#include "parsers/json/json_laid_out_kernel.h"

const struct json_write_kernel json_write_sse42 = {write_event, write_events, write_value,
                                                   write_string, write_laid_out};
