/* A calculator: tokens, precedence, variables, functions; recursive descent against shunting-yard.
 * stdin: calculator.txt
 */
#include <ctype.h>
#include <math.h>
#include "support.h"
static const char *at;
static double variables[26];
static int bad;
static double sum(void);
static double atom(void) {
    while (*at == ' ') at++;
    if (*at == '-') {
        at++;
        return -atom();
    }
    if (*at == '(') {
        at++;
        double v = sum();
        if (*at == ')') at++;
        else bad = 1;
        return v;
    }
    if (!strncmp(at, "sqrt", 4)) {
        at += 4;
        return sqrt(atom());
    }
    if (!strncmp(at, "abs", 3)) {
        at += 3;
        return fabs(atom());
    }
    if (islower((unsigned char)*at)) return variables[*at++ - 'a'];
    char *end;
    double v = strtod(at, &end);
    bad |= end == at;
    at = end;
    return v;
}
static double power(void) {
    double v = atom();
    while (*at == ' ') at++;
    if (*at != '^') return v;
    at++;
    int e = (int)power();
    double r = 1;
    for (int i = 0; i < abs(e); i++) r *= v;
    return e < 0 ? 1 / r : r;
}
static double term(void) {
    double v = power();
    for (;;) {
        while (*at == ' ') at++;
        if (*at == '*') {
            at++;
            v *= power();
        } else if (*at == '/') {
            at++;
            v /= power();
        } else if (*at == '%') {
            at++;
            v = fmod(v, power());
        } else return v;
    }
}
static double sum(void) {
    double v = term();
    for (;;) {
        while (*at == ' ') at++;
        if (*at == '+') {
            at++;
            v += term();
        } else if (*at == '-') {
            at++;
            v -= term();
        } else return v;
    }
}
static int rank(char c) { return c == '+' || c == '-' ? 1 : c == '*' || c == '/' ? 2 : 0; }
static double yard(const char *s) {
    double values[50];
    char operators[50];
    int v = 0, o = 0;
#define APPLY                                                                         \
    {                                                                                 \
        double b = values[--v], a = values[--v];                                      \
        char c = operators[--o];                                                      \
        values[v++] = c == '+' ? a + b : c == '-' ? a - b : c == '*' ? a * b : a / b; \
    }
    for (; *s; s++) {
        if (isdigit((unsigned char)*s)) {
            char *end;
            values[v++] = strtod(s, &end);
            s = end - 1;
        } else if (*s == '(') operators[o++] = '(';
        else if (*s == ')') {
            while (operators[o - 1] != '(') APPLY o--;
        } else if (rank(*s)) {
            while (o && rank(operators[o - 1]) >= rank(*s)) APPLY operators[o++] = *s;
        }
    }
    while (o) APPLY
    return values[0];
}

int main(void) {
    char line[200];
    int number = 0;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        number++;
        bad = 0;
        at = line;
        int target = -1;
        if (islower((unsigned char)line[0]) && line[1] == '=') {
            target = line[0] - 'a';
            at += 2;
        }
        double v = sum();
        if (*at || bad) {
            printf("%d: error at column %td\n", number, at - line);
            continue;
        }
        if (target >= 0) variables[target] = v;
        printf("%d: %.15g\n", number, v);
    }
    const char *plain[] = {"1+2*3", "(1+2)*3", "2*(3+4)*5-6/4", "100/7/3", "8-3-2", "((((1))))+2*((3))"};
    for (size_t i = 0; i < COUNT(plain); i++) {
        at = plain[i];
        printf("%a %d\n", yard(plain[i]), yard(plain[i]) == sum());
    }
    return 0;
}
