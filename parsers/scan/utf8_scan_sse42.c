/* utf8_scan_sse42.c - see utf8_scan_kernel.h. */
#include "parsers/scan/utf8_scan_kernel.h"

const struct utf8_scan_kernel utf8_scan_sse42 = {utf8_scan_vec};
