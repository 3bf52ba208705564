/*
 * fuzz_canary.c - a target that must crash on input it can find: a smoke test in which nothing
 * ever crashes proves nothing. The replayer runs it on seeds that are harmless.
 */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n >= 2 && data[0] == 'c' && data[1] == 'a') __builtin_trap();
    return 0;
}
