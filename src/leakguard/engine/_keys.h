/* What `_native.c` and `_hits_native.c` share: growing lists of numbers, and tables of 64-bit keys made with a secret seed. */
#ifndef LEAKGUARD_KEYS_H
#define LEAKGUARD_KEYS_H
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define WAYS 4

typedef struct {
    int64_t *at;
    size_t used, room;
} numbers;

static inline int push(numbers *n, int64_t value)
{
    if (n->used == n->room) {
        size_t room = n->room ? n->room * 2 : 96;
        int64_t *grown = PyMem_Realloc(n->at, room * sizeof(int64_t));
        if (!grown)
            return -1;
        n->at = grown;
        n->room = room;
    }
    n->at[n->used++] = value;
    return 0;
}

static inline uint64_t mixed(uint64_t a)
{
    a ^= a >> 32;
    a *= 0xd6e8feb86659fd93u;
    a ^= a >> 29;
    return a;
}

/* Hash with a secret start: who writes a repository can't know which texts collide. */
static inline uint64_t hashed(const unsigned char *p, size_t size, uint64_t seed)
{
    const uint64_t k = 0x9e3779b97f4a7c15u, l = 0xc2b2ae3d27d4eb4fu;
    uint64_t a = mixed(seed ^ size), b = mixed(a + k), c = mixed(b + k), d = mixed(c + k), word[4] = {0, 0, 0, 0};
#define ROUND                                                                                                          \
    do {                                                                                                               \
        a = (a ^ word[0]) * k;                                                                                         \
        b = (b ^ word[1]) * l;                                                                                         \
        c = (c ^ word[2]) * k;                                                                                         \
        d = (d ^ word[3]) * l;                                                                                         \
        a ^= a >> 31;                                                                                                  \
        b ^= b >> 29;                                                                                                  \
        c ^= c >> 31;                                                                                                  \
        d ^= d >> 29;                                                                                                  \
    } while (0)
    for (; size >= 32; p += 32, size -= 32) {
        memcpy(word, p, 32);
        ROUND;
    }
    if (size) {
        memset(word, 0, sizeof(word));
        memcpy(word, p, size);
        ROUND;
    }
    return mixed(mixed(mixed(mixed(a) ^ b) + c) ^ d);
}

static inline int holds(const uint64_t *table, uint64_t mask, uint64_t key)
{
    const uint64_t *bucket = table + (key & mask & ~(uint64_t)(WAYS - 1));
    return bucket[0] == key || bucket[1] == key || bucket[2] == key || bucket[3] == key;
}

static inline int table_of(Py_buffer *view, uint64_t *mask)
{
    uint64_t slots = (uint64_t)view->len / sizeof(uint64_t);
    if (slots < WAYS || slots & (slots - 1) || slots * sizeof(uint64_t) != (uint64_t)view->len) {
        PyErr_SetString(PyExc_ValueError, "a table has a power of two of slots");
        return -1;
    }
    *mask = slots - 1;
    return 0;
}

static inline PyObject *as_bytes(const numbers *n)
{
    return PyBytes_FromStringAndSize((const char *)n->at, (Py_ssize_t)(n->used * sizeof(int64_t)));
}
#endif
