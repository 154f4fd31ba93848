/* A JSON parser and printer: nested values, escapes, numbers, errors with their places. */
#include <ctype.h>
#include <setjmp.h>
#include "support.h"
enum kind { NIL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };
struct value {
    enum kind kind;
    double number;
    char *text;
    struct value *child, *next;
    char *name;
};
static const char *at, *start;
static jmp_buf failed;
static const char *reason;
static void fail(const char *why) {
    reason = why;
    longjmp(failed, 1);
}
static void space(void) {
    while (isspace((unsigned char)*at)) at++;
}
static char *string(void) {
    char *text = malloc(strlen(at) * 3 + 1), *to = text;
    for (at++; *at != '"'; at++) {
        if (!*at) {
            free(text);
            fail("unterminated string");
        }
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        switch (*++at) {
            case 'n': *to++ = '\n'; break;
            case 't': *to++ = '\t'; break;
            case 'u': {
                unsigned c = 0;
                for (int i = 0; i < 4; i++) {
                    at++;
                    c = c * 16 + (unsigned)(isdigit((unsigned char)*at) ? *at - '0' : (*at | 32) - 'a' + 10);
                }
                if (c < 128) *to++ = (char)c;
                else if (c < 2048) {
                    *to++ = (char)(0xc0 | c >> 6);
                    *to++ = (char)(0x80 | (c & 63));
                } else {
                    *to++ = (char)(0xe0 | c >> 12);
                    *to++ = (char)(0x80 | (c >> 6 & 63));
                    *to++ = (char)(0x80 | (c & 63));
                }
                break;
            }
            default: *to++ = *at;
        }
    }
    at++;
    *to = 0;
    return text;
}
static struct value *parse(int depth) {
    struct value *v = calloc(1, sizeof *v), **link = &v->child;
    space();
    if (depth > 100) fail("too deep");
    if (*at == '{' || *at == '[') {
        char close = *at == '{' ? '}' : ']';
        v->kind = *at == '{' ? OBJECT : ARRAY;
        at++;
        space();
        if (*at == close) {
            at++;
            return v;
        }
        for (;;) {
            char *name = NULL;
            space();
            if (v->kind == OBJECT) {
                if (*at != '"') fail("a name must be a string");
                name = string();
                space();
                if (*at++ != ':') fail("colon missing");
            }
            *link = parse(depth + 1);
            (*link)->name = name;
            link = &(*link)->next;
            space();
            if (*at == close) {
                at++;
                return v;
            }
            if (*at++ != ',') fail("comma missing");
        }
    }
    if (*at == '"') {
        v->kind = STRING;
        v->text = string();
        return v;
    }
    if (*at == '-' || isdigit((unsigned char)*at)) {
        char *end;
        v->kind = NUMBER;
        v->number = strtod(at, &end);
        at = end;
        return v;
    }
    static const char *const words[] = {"null", "false", "true"};
    for (int i = 0; i < 3; i++)
        if (!strncmp(at, words[i], strlen(words[i]))) {
            at += strlen(words[i]);
            v->kind = (enum kind)i;
            return v;
        }
    fail("what is this?");
    return NULL;
}
static void print(const struct value *v, int depth) {
    if (v->name) printf("\"%s\": ", v->name);
    switch (v->kind) {
        case NIL: printf("null"); break;
        case FALSE: printf("false"); break;
        case TRUE: printf("true"); break;
        case NUMBER: printf("%.17g", v->number); break;
        case STRING: printf("\"%s\"", v->text); break;
        default:
            printf(v->kind == OBJECT ? "{" : "[");
            for (const struct value *c = v->child; c; c = c->next) {
                printf("\n%*s", depth * 2 + 2, "");
                print(c, depth + 1);
                if (c->next) putchar(',');
            }
            printf("\n%*s%c", depth * 2, "", v->kind == OBJECT ? '}' : ']');
    }
}

int main(void) {
    static const char *const inputs[] = {"{\"name\": \"Metaphrase\", \"tags\": [\"binary\", \"translator\", null, "
                                         "true, false], \"pi\": 3.14159265358979, \"nested\": {\"a\": [[], {}, [1, [2, "
                                         "[3e-7]]]], \"text\": \"tab\\t\\u00e9\\u20ac\\\"\"}, \"big\": -1.5E+300}",
                                         "[1, 2",
                                         "{\"a\" 1}",
                                         "[1 2]",
                                         "\"open",
                                         "[tru]",
                                         "{1: 2}",
                                         "-0.0",
                                         "  [ ]  "};
    for (volatile size_t i = 0; i < COUNT(inputs); i++) {
        start = at = inputs[i];
        if (setjmp(failed)) {
            printf("error at %td: %s\n", at - start, reason);
            continue;
        }
        print(parse(0), 0);
        putchar('\n');
    }
    char deep[400];
    memset(deep, '[', 399);
    deep[399] = 0;
    start = at = deep;
    if (setjmp(failed)) printf("error at %td: %s\n", at - start, reason);
    else parse(0);
    return 0;
}
