/* The twenty rounds of RFC 8439 on sixteen words `x0` .. `x15`, each a vector with one lane a block.
 * The including file defines ADD(a, b), XOR(a, b) and ROTATE(a, bits). */
#ifndef ASSIGN_CHACHA20_ROUNDS_H
#define ASSIGN_CHACHA20_ROUNDS_H

#define QUARTER(a, b, c, d)                                                   \
    a = ADD(a, b); d = ROTATE(XOR(d, a), 16);                                 \
    c = ADD(c, d); b = ROTATE(XOR(b, c), 12);                                 \
    a = ADD(a, b); d = ROTATE(XOR(d, a), 8);                                  \
    c = ADD(c, d); b = ROTATE(XOR(b, c), 7);

#define TWENTY_ROUNDS(x)                                                      \
    for (int round = 0; round < 10; round++) {                                \
        QUARTER(x[0], x[4], x[8], x[12])                                      \
        QUARTER(x[1], x[5], x[9], x[13])                                      \
        QUARTER(x[2], x[6], x[10], x[14])                                     \
        QUARTER(x[3], x[7], x[11], x[15])                                     \
        QUARTER(x[0], x[5], x[10], x[15])                                     \
        QUARTER(x[1], x[6], x[11], x[12])                                     \
        QUARTER(x[2], x[7], x[8], x[13])                                      \
        QUARTER(x[3], x[4], x[9], x[14])                                      \
    }

#endif
