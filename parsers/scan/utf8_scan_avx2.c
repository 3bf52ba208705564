/* utf8_scan_avx2.c - see utf8_scan_kernel.h. */
#include "parsers/scan/utf8_scan_kernel.h"

const struct utf8_scan_kernel utf8_scan_avx2 = {utf8_scan_vec};
