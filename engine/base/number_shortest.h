/*
 * number_shortest.h - the fewest decimal digits that read back as the same double.
 *
 * Schubfach: Raffaello Giulietti, "The Schubfach way to render doubles" (2020). Of the decimals
 * with the fewest digits between the neighbours' halves it is the one closest to the number. One
 * table of powers of ten, three multiplications, no loop. Any thread.
 */
#ifndef ENGINE_BASE_NUMBER_SHORTEST_H
#define ENGINE_BASE_NUMBER_SHORTEST_H
#include <stdint.h>

/* digits * 10^exponent; at most 17 digits, the last of them not 0 unless all are. */
struct decimal_float {
    uint64_t digits;
    int32_t exponent;
};

/* Of a finite number, without its sign. */
struct decimal_float number_shortest(double real);

#endif
