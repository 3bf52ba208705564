/* init.c - one call for all kernels of parsers/. */
#include "parsers/init.h"

#include "parsers/grok/grok.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_index.h"
#include "parsers/json/json_write.h"
#include "parsers/scan/newline.h"
#include "parsers/scan/utf8_scan.h"

void parsers_init(enum cpu_level level)
{
    newline_init(level);
    utf8_scan_init(level);
    json_index_init(level);
    json_write_init(level);
    grok_init(level);
    event_adopt_zone(tz_host());
}
