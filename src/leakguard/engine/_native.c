/* Inner loops of the engine for many contents at once, for `seen.py`: which lines were looked at before, with the same
 * bytes round them.
 *
 * contents: a list of (data, windows or None): native 64-bit integers, start and end in turn, ascending and apart.
 *
 * fresh(table, seed, contents, back, ahead, before, after, head) -> (text, runs, keys, again)
 *   table: a writable buffer, a power of two of 64-bit keys, zero where free; seed: a secret 64-bit number. Each window is
 *   cut into chunks where a line says so by itself, so that the same text is cut alike wherever it stands. A chunk's key is
 *   made of its bytes, of `back` bytes before it and `ahead` bytes behind it. Encoded text is read from where it begins, with
 *   `head` bytes before that: a chunk that may go on with what began further away has no key, and always counts as new.
 *   runs: number of the content, start and end of the chunks whose keys are not in the table, from `before` bytes ahead of
 *   each to `after` behind it, ascending and apart; text: their bytes, each with a newline behind it;
 *   keys: number, start, end and key of each of these chunks, which are in the table now; of four slots that a key may take,
 *   the one it drives out is chosen by the key; again: the same of those that another of this call stood for.
 *
 * learn(table, keys, again, spans) -> again
 *   Takes the keys of chunks that touch a span (number, start, end; by number) out of the table; again: number, start and
 *   end of chunks that one of these stood for.
 */
#include "_keys.h"

#define LONGEST 4096 /* a chunk ends behind one line of sixteen, or where it has grown so long */
#ifdef __GNUC__
#define FETCH(at) __builtin_prefetch(at)
#else
#define FETCH(at) (void)(at)
#endif

/* Keys of one call; open addressing, zero where free. */
typedef struct {
    uint64_t *slot;
    size_t room, used;
} keyset;

static int set_has(const keyset *s, uint64_t key)
{
    if (!s->room)
        return 0;
    for (size_t at = key & (s->room - 1);; at = (at + 1) & (s->room - 1)) {
        if (s->slot[at] == key)
            return 1;
        if (!s->slot[at])
            return 0;
    }
}

static int set_add(keyset *s, uint64_t key)
{
    if (2 * s->used >= s->room) {
        keyset grown = {NULL, s->room ? 2 * s->room : 512, 0};
        grown.slot = PyMem_Calloc(grown.room, sizeof(uint64_t));
        if (!grown.slot)
            return -1;
        for (size_t i = 0; i < s->room; i++)
            if (s->slot[i])
                set_add(&grown, s->slot[i]);
        PyMem_Free(s->slot);
        *s = grown;
    }
    size_t at = key & (s->room - 1);
    while (s->slot[at] && s->slot[at] != key)
        at = (at + 1) & (s->room - 1);
    s->used += !s->slot[at];
    s->slot[at] = key;
    return 0;
}

/* Get one of the contents, (data, windows or None), and its windows; those of None are the whole. */
static int content_at(PyObject *contents, Py_ssize_t which, char **data, Py_ssize_t *size, const int64_t **window,
                      size_t *count, int64_t whole[2])
{
    char *raw;
    Py_ssize_t length;
    PyObject *pair = PyList_GetItem(contents, which);
    PyObject *windows = pair ? PyTuple_GetItem(pair, 1) : NULL;
    if (!windows || PyBytes_AsStringAndSize(PyTuple_GetItem(pair, 0), data, size))
        return -1;
    whole[0] = 0;
    whole[1] = *size;
    *window = whole;
    *count = 1;
    if (windows == Py_None)
        return 0;
    if (PyBytes_AsStringAndSize(windows, &raw, &length))
        return -1;
    *window = (const int64_t *)(const void *)raw;
    *count = (size_t)length / sizeof(int64_t) / 2;
    return 0;
}

/* What encoded text goes on with: letters, escapes, ends of lines. */
static uint8_t goes[256];

static void tables(void)
{
    const char *all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_ \t\r\n;#{}%\\&=";
    for (const char *p = all; *p; p++)
        goes[(uint8_t)*p] = 1;
    goes[0] = 1;
}

/* Whether encoded text that reaches `at` may have begun before `least`. */
static int goes_on(const unsigned char *bytes, int64_t at, int64_t least)
{
    while (at-- > least)
        /* every second byte of UTF-16 is NUL */
        if (!goes[bytes[at]] && bytes[at + 1] && (at == least || bytes[at - 1]))
            return 0;
    return 1;
}

static PyObject *fresh(PyObject *self, PyObject *args)
{
    Py_buffer table;
    PyObject *contents, *text = NULL, *answer = NULL, *parts[4] = {NULL, NULL, NULL, NULL};
    unsigned long long seed;
    Py_ssize_t back, ahead, before, after, head;
    numbers all = {NULL, 0, 0}, runs = {NULL, 0, 0}, keys = {NULL, 0, 0}, again = {NULL, 0, 0};
    keyset mine = {NULL, 0, 0};
    uint64_t mask, *slots;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*KOnnnnn", &table, &seed, &contents, &back, &ahead, &before, &after, &head))
        return NULL;
    if (table_of(&table, &mask))
        goto done;
    slots = table.buf;
    Py_ssize_t number = PyList_Size(contents), total = 0;
    if (number < 0)
        goto done;
    for (Py_ssize_t which = 0; which < number; which++) {
        char *raw;
        Py_ssize_t length;
        const int64_t *window;
        int64_t whole[2];
        size_t count, first = runs.used;
        if (content_at(contents, which, &raw, &length, &window, &count, whole))
            goto done;
        const unsigned char *bytes = (const unsigned char *)raw;
        int64_t size = length;
        all.used = 0;
        for (size_t i = 0; i < count; i++) {
            int64_t at = window[2 * i], end = window[2 * i + 1], start = at;
            if (at < 0 || end > size || at > end) {
                PyErr_SetString(PyExc_ValueError, "a window stands outside the data");
                goto done;
            }
            while (at < end) {
                const unsigned char *line = bytes + at, *stop = memchr(line, '\n', (size_t)(end - at));
                int64_t next = stop ? stop + 1 - bytes : end;
                int cut = next == end || next - start >= LONGEST;
                if (!cut && next >= 8 && at + 8 <= size) {
                    /* the first and last bytes of a line tell enough to cut by */
                    uint64_t head, tail;
                    memcpy(&head, line, 8);
                    memcpy(&tail, bytes + next - 8, 8);
                    cut = mixed((head ^ seed) * 0x9e3779b97f4a7c15u + tail) >> 60 == 0;
                }
                if (cut) {
                    int64_t from = start - back < 0 ? 0 : start - back, to = next + ahead > size ? size : next + ahead;
                    uint64_t shape =
                        (uint64_t)(start - from) ^ ((uint64_t)(to - next) << 20) ^ ((uint64_t)(next - start) << 40);
                    uint64_t key = hashed(bytes + from, (size_t)(to - from), mixed(shape ^ seed));
                    if (!key)
                        key = 1;
                    if (from && head < start - from && goes_on(bytes, start, from + head))
                        key = 0;
                    FETCH(slots + (key & mask));
                    if (push(&all, start) || push(&all, next) || push(&all, (int64_t)key))
                        goto memory;
                    start = next;
                }
                at = next;
            }
        }
        /* looked up once all are fetched: the table is larger than the caches */
        for (size_t i = 0; i < all.used; i += 3) {
            int64_t start = all.at[i], next = all.at[i + 1];
            uint64_t key = (uint64_t)all.at[i + 2];
            if (key && holds(slots, mask, key)) {
                if (set_has(&mine, key) && (push(&again, which) || push(&again, start) || push(&again, next)
                                            || push(&again, (int64_t)key)))
                    goto memory;
                continue;
            }
            int64_t left = start - before < 0 ? 0 : start - before, right = next + after > size ? size : next + after;
            if (runs.used > first && runs.at[runs.used - 1] >= left) {
                total += right - runs.at[runs.used - 1];
                runs.at[runs.used - 1] = right;
            } else if (push(&runs, which) || push(&runs, left) || push(&runs, right))
                goto memory;
            else
                total += right - left + 1;
            if (!key)
                continue;
            if (push(&keys, which) || push(&keys, start) || push(&keys, next) || push(&keys, (int64_t)key)
                || set_add(&mine, key))
                goto memory;
            uint64_t *bucket = slots + (key & mask & ~(uint64_t)(WAYS - 1));
            int way = 0;
            while (way < WAYS && bucket[way])
                way++;
            bucket[way < WAYS ? way : (int)(key >> 62)] = key;
        }
    }
    text = PyBytes_FromStringAndSize(NULL, total);
    if (!text)
        goto done;
    char *out = PyBytes_AsString(text);
    for (size_t i = 0; i < runs.used; i += 3) {
        char *raw = PyBytes_AsString(PyTuple_GetItem(PyList_GetItem(contents, (Py_ssize_t)runs.at[i]), 0));
        size_t length = (size_t)(runs.at[i + 2] - runs.at[i + 1]);
        memcpy(out, raw + runs.at[i + 1], length);
        out[length] = '\n';
        out += length + 1;
    }
    parts[0] = text;
    parts[1] = as_bytes(&runs);
    parts[2] = as_bytes(&keys);
    parts[3] = as_bytes(&again);
    if (parts[1] && parts[2] && parts[3])
        answer = PyTuple_Pack(4, parts[0], parts[1], parts[2], parts[3]);
    goto done;
memory:
    PyErr_NoMemory();
done:
    PyMem_Free(all.at);
    PyMem_Free(runs.at);
    PyMem_Free(keys.at);
    PyMem_Free(again.at);
    PyMem_Free(mine.slot);
    Py_XDECREF(text);
    Py_XDECREF(parts[1]);
    Py_XDECREF(parts[2]);
    Py_XDECREF(parts[3]);
    PyBuffer_Release(&table);
    return answer;
}

static PyObject *learn(PyObject *self, PyObject *args)
{
    Py_buffer table, keys, again, spans;
    PyObject *answer = NULL;
    keyset wrong = {NULL, 0, 0};
    numbers out = {NULL, 0, 0};
    uint64_t mask;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*y*y*y*", &table, &keys, &again, &spans))
        return NULL;
    if (table_of(&table, &mask))
        goto done;
    uint64_t *slots = table.buf;
    const int64_t *chunk = keys.buf, *span = spans.buf, *left = again.buf;
    size_t chunks = (size_t)keys.len / sizeof(int64_t) / 4, count = (size_t)spans.len / sizeof(int64_t) / 3;
    size_t lefts = (size_t)again.len / sizeof(int64_t) / 4, first = 0;
    for (size_t i = 0; i < chunks; i++, chunk += 4) {
        while (first < count && span[3 * first] < chunk[0])
            first++;
        int touched = 0;
        for (size_t j = first; j < count && span[3 * j] == chunk[0] && !touched; j++)
            touched = span[3 * j + 1] < chunk[2] && span[3 * j + 2] > chunk[1];
        if (!touched)
            continue;
        uint64_t key = (uint64_t)chunk[3], *bucket = slots + (key & mask & ~(uint64_t)(WAYS - 1));
        for (int way = 0; way < WAYS; way++)
            if (bucket[way] == key)
                bucket[way] = 0;
        if (set_add(&wrong, key)) {
            PyErr_NoMemory();
            goto done;
        }
    }
    for (size_t i = 0; i < lefts; i++, left += 4)
        if (set_has(&wrong, (uint64_t)left[3]) && (push(&out, left[0]) || push(&out, left[1]) || push(&out, left[2]))) {
            PyErr_NoMemory();
            goto done;
        }
    answer = as_bytes(&out);
done:
    PyMem_Free(wrong.slot);
    PyMem_Free(out.at);
    PyBuffer_Release(&table);
    PyBuffer_Release(&keys);
    PyBuffer_Release(&again);
    PyBuffer_Release(&spans);
    return answer;
}

static PyMethodDef methods[] = {
    {"fresh", fresh, METH_VARARGS, "fresh(table, seed, contents, back, ahead, before, after, head) -> (text, runs, keys, again)"},
    {"learn", learn, METH_VARARGS, "learn(table, keys, again, spans) -> again"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    tables();
    return PyModule_Create(&module);
}
