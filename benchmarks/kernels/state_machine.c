/* A state machine over text, as a nested switch: numbers, words, strings and comments. Jump tables and branches.
 * group: integer
 * iterations: 17000
 */
#include "kernel.h"
#define LENGTH 65536
static char text[LENGTH];
enum state { BETWEEN, WORD, NUMBER, FRACTION, STRING, ESCAPE, SLASH, COMMENT, STAR, STATES };

static uint64_t scan(uint64_t *counts) {
    enum state state = BETWEEN;
    uint64_t hash = 0;
    for (int i = 0; i < LENGTH; i++) {
        char c = text[i];
        switch (state) {
            case BETWEEN:
            start:
                switch (c) {
                    case 'a' ... 'z': state = WORD; break;
                    case '0' ... '9': state = NUMBER; break;
                    case '"': state = STRING; break;
                    case '/': state = SLASH; break;
                    default: state = BETWEEN;
                }
                break;
            case WORD:
                if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) break;
                counts[WORD]++;
                goto start;
            case NUMBER:
                if (c >= '0' && c <= '9') break;
                if (c == '.') {
                    state = FRACTION;
                    break;
                }
                counts[NUMBER]++;
                goto start;
            case FRACTION:
                if (c >= '0' && c <= '9') break;
                counts[FRACTION]++;
                goto start;
            case STRING:
                if (c == '\\') state = ESCAPE;
                else if (c == '"') counts[STRING]++, state = BETWEEN;
                break;
            case ESCAPE: state = STRING; break;
            case SLASH:
                if (c != '*') goto start;
                state = COMMENT;
                break;
            case COMMENT:
                if (c == '*') state = STAR;
                break;
            case STAR:
                if (c == '/') counts[COMMENT]++, state = BETWEEN;
                else if (c != '*') state = COMMENT;
                break;
            default: __builtin_unreachable();
        }
        hash = (hash << 5 | hash >> 59) ^ (uint64_t)state;
    }
    return hash;
}

static uint64_t run(long iterations) {
    static const char alphabet[] = "aabcdefghijklmnoprstuvwxyz001234567899..  \n\n;,(+\"\"\\//**";
    for (int i = 0; i < LENGTH; i++) text[i] = alphabet[next_random() % (sizeof alphabet - 1)];
    uint64_t sum = 0, counts[STATES] = {0};
    for (long i = 0; i < iterations; i++) {
        sum = sum * 31 + scan(counts);
        text[i * 7919 % LENGTH] = alphabet[i % (long)(sizeof alphabet - 1)];
    }
    for (int i = 0; i < STATES; i++) sum = sum * 31 + counts[i];
    return sum;
}
