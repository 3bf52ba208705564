/*
 * utf8_scan.h - is this UTF-8, at the speed of memory for ASCII.
 *
 * Same answer as utf8_valid() of engine/base/utf8.h, which is the scalar truth. The vector
 * variants classify each pair of bytes with three 16-entry tables: John Keiser and Daniel
 * Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte", Software: Practice and
 * Experience 51 (5), 2021. No variant reads past the end of the slice. Any thread.
 */
#ifndef PARSERS_SCAN_UTF8_SCAN_H
#define PARSERS_SCAN_UTF8_SCAN_H
#include "engine/base/cpu.h"
#include "engine/base/slice.h"

extern bool (*utf8_scan_valid)(slice s);

void utf8_scan_init(enum cpu_level level);

#endif
