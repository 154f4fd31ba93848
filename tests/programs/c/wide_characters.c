/* Wide characters and UTF-8: conversion both ways, classification, comparison, wide printing, bad sequences. */
#include <errno.h>
#include <locale.h>
#include <wchar.h>
#include <wctype.h>
#include "support.h"

int main(void) {
    printf("%s\n", setlocale(LC_ALL, "C.UTF-8") ? "C.UTF-8" : "none");
    const char *text = "na\xc3\xafve \xe2\x82\xac 42 \xf0\x9f\x99\x82 \xce\xb1\xce\xb2\xce\xb3";
    wchar_t wide[64];
    size_t n = mbstowcs(wide, text, 64);
    printf("%zu %zu\n", strlen(text), n);
    for (size_t i = 0; i < n; i++)
        printf("%x%s ", (unsigned)wide[i],
               iswalpha((wint_t)wide[i])   ? "a"
               : iswspace((wint_t)wide[i]) ? "s"
               : iswdigit((wint_t)wide[i]) ? "d"
                                           : "");
    char back[64];
    n = wcstombs(back, wide, sizeof back);
    printf("\n%zu %d\n", n, strcmp(back, text));
    for (wchar_t *p = wide; *p; p++) *p = (wchar_t)towupper((wint_t)*p);
    printf("%ls|%.4ls|%12ls|\n", wide, wide, L"right");
    wchar_t buffer[100];
    int written = swprintf(buffer, 100, L"%d %ls %s %5.2f", 7, L"w\u00efde", "narrow", 2.5);
    printf("%d %ls\n", written, buffer);
    printf("%d %d %zu\n", wcscmp(L"abc", L"abd") < 0, wcsncmp(L"abc", L"abd", 2), wcslen(L"length"));
    printf("%ld %g %d\n", wcstol(L"-123x", NULL, 10), wcstod(L"2.75", NULL),
           (int)(wcsstr(L"haystack needle", L"need") != NULL));
    mbstate_t state;
    memset(&state, 0, sizeof state);
    wchar_t c;
    size_t r = mbrtowc(&c, "\xe2", 1, &state);
    printf("%zd ", (ssize_t)r);
    r = mbrtowc(&c, "\x82\xac", 2, &state);
    printf("%zd %x\n", (ssize_t)r, (unsigned)c);
    memset(&state, 0, sizeof state);
    r = mbrtowc(&c, "\xff", 1, &state);
    printf("%zd %d\n", (ssize_t)r, errno == EILSEQ);
    wchar_t copy[8];
    wmemset(copy, L'x', 7);
    copy[7] = 0;
    wmemmove(copy + 1, L"yz", 2);
    printf("%ls %td\n", copy, wcschr(copy, L'z') - copy);
    return 0;
}
