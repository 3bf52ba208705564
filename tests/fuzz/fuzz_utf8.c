/* fuzz_utf8.c - the vectorised UTF-8 scans against the scalar truth. */
#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/scan/utf8_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    slice s = slice_make((const char *)data, n);
    bool want = utf8_valid(s);
    for (int level = CPU_SCALAR; level <= (int)cpu_init(); level++) {
        utf8_scan_init((enum cpu_level)level);
        ASSERT(utf8_scan_valid(s) == want);
    }
    return 0;
}
