/* Ciphers and digests of OpenSSL's libcrypto, which chooses by CPUID how it computes them: data of many lengths, at
 * many places, at once and in pieces. The few prototypes stand here, for no more than the library is needed. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct evp_cipher_ctx_st Context;
typedef struct evp_cipher_st Cipher;
typedef struct evp_md_ctx_st DigestContext;
typedef struct evp_md_st Digest;

Context *EVP_CIPHER_CTX_new(void);
void EVP_CIPHER_CTX_free(Context *);
int EVP_CIPHER_CTX_ctrl(Context *, int, int, void *);
const Cipher *EVP_get_cipherbyname(const char *);
int EVP_CipherInit_ex(Context *, const Cipher *, void *, const unsigned char *, const unsigned char *, int);
int EVP_CipherUpdate(Context *, unsigned char *, int *, const unsigned char *, int);
int EVP_CipherFinal_ex(Context *, unsigned char *, int *);
DigestContext *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(DigestContext *);
const Digest *EVP_get_digestbyname(const char *);
int EVP_DigestInit_ex(DigestContext *, const Digest *, void *);
int EVP_DigestUpdate(DigestContext *, const void *, size_t);
int EVP_DigestFinal_ex(DigestContext *, unsigned char *, unsigned *);

enum { GET_TAG = 0x10, SET_TAG = 0x11, MOST = 9000 };

static const int lengths[] = {0,   1,   15,  16,  17,   31,   32,   47,   48,   63,   64,   65,   95,   96,  127,
                              128, 129, 191, 192, 255,  256,  257,  319,  383,  384,  511,  512,  513,  767, 768,
                              769, 900, 1023, 1024, 1025, 1536, 2048, 3001, 4096, 4097, 8191, 8192, 8999, MOST};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static unsigned char plain[MOST + 64], secret[MOST + 128], again[MOST + 128], key[64], vector[16], data_of_header[13];

static uint64_t mix(uint64_t h, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * 0x100000001b3u;
    return h;
}

/* Encrypts or decrypts in pieces of at most `piece` bytes; gives how many bytes came out, -1 if that was refused. */
static int run(const char *name, int encrypt, const unsigned char *from, int size, unsigned char *to, int piece,
               unsigned char *tag)
{
    int aead = strstr(name, "GCM") != NULL || strstr(name, "Poly1305") != NULL, done = 0, length;
    Context *context = EVP_CIPHER_CTX_new();
    int good = EVP_CipherInit_ex(context, EVP_get_cipherbyname(name), NULL, key, vector, encrypt);
    if (aead)
        good = good && EVP_CipherUpdate(context, NULL, &length, data_of_header, sizeof data_of_header);
    for (int at = 0; good && at < size; at += piece) {
        good = EVP_CipherUpdate(context, to + done, &length, from + at, size - at < piece ? size - at : piece);
        done += length;
    }
    if (aead && !encrypt)
        good = good && EVP_CIPHER_CTX_ctrl(context, SET_TAG, 16, tag);
    good = good && EVP_CipherFinal_ex(context, to + done, &length);
    done += good ? length : 0;
    if (aead && encrypt)
        good = good && EVP_CIPHER_CTX_ctrl(context, GET_TAG, 16, tag);
    EVP_CIPHER_CTX_free(context);
    return good ? done : -1;
}

static void cipher(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    int wrong = 0, refused = 0, aead = 0;
    for (int n = 0; n < LENGTHS; n++) {
        unsigned char tag[16] = {0}, other[16] = {0};
        const unsigned char *from = plain + n % 17;
        int place = n * 5 % 23, size = run(name, 1, from, lengths[n], secret + place, MOST, tag);
        h = mix(mix(h, secret + place, size), tag, sizeof tag);
        wrong += run(name, 1, from, lengths[n], again, 61 + 40 * n, other) != size;
        wrong += memcmp(again, secret + place, size) != 0 || memcmp(tag, other, sizeof tag) != 0;
        wrong += run(name, 0, secret + place, size, again + n % 3, n % 2 ? MOST + 64 : 333, tag) != lengths[n];
        wrong += memcmp(again + n % 3, from, lengths[n]) != 0;
        aead += memcmp(tag, "\0\0\0\0", 4) != 0;
        tag[n % 16] ^= 1 << n % 8;
        refused += run(name, 0, secret + place, size, again, MOST, tag) < 0;
    }
    printf("%-18s %016llx wrong %d, tags %d, refused %d\n", name, (unsigned long long)h, wrong, aead, refused);
}

static void digest(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    DigestContext *context = EVP_MD_CTX_new();
    for (int n = 0; n < LENGTHS; n++) {
        unsigned char result[64];
        unsigned size;
        int first = lengths[n] * (n % 5) / 5;
        EVP_DigestInit_ex(context, EVP_get_digestbyname(name), NULL);
        EVP_DigestUpdate(context, plain + n % 19, first);
        EVP_DigestUpdate(context, plain + n % 19 + first, lengths[n] - first);
        EVP_DigestFinal_ex(context, result, &size);
        h = mix(h, result, size);
    }
    EVP_MD_CTX_free(context);
    printf("%-18s %016llx\n", name, (unsigned long long)h);
}

int main(void)
{
    static const char *const ciphers[] = {"AES-128-CBC", "AES-256-CBC", "AES-128-CTR", "AES-256-CTR", "AES-128-GCM",
                                          "AES-256-GCM", "ChaCha20-Poly1305"};
    static const char *const digests[] = {"SHA1", "SHA256", "SHA512"};
    uint64_t x = 88172645463325252u;
    for (int n = 0; n < MOST + 64; n++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        plain[n] = x >> 32;
        if (n < 64)
            key[n] = x >> 40;
        if (n < 16)
            vector[n] = x >> 48;
    }
    memset(data_of_header, 0x5a, sizeof data_of_header);
    for (int n = 0; n < 7; n++)
        cipher(ciphers[n]);
    for (int n = 0; n < 3; n++)
        digest(digests[n]);
    return 0;
}
