/* Inner loops of the engine for many contents at once, for `seen.py` (which lines and which hits were looked at before, with
 * the same bytes round them) and `prefilter.py` (where rules have to be looked for).
 *
 * contents: a list of (data, windows or None): native 64-bit integers, start and end in turn, ascending and apart.
 *
 * fresh(table, seed, contents, back, ahead, before, after) -> (text, runs, keys, again)
 *   table: a writable buffer, a power of two of 64-bit keys, zero where free; seed: a secret 64-bit number. Each window is
 *   cut into chunks where a line says so by itself, so that the same text is cut alike wherever it stands. A chunk's key is
 *   made of its bytes, of `back` bytes before it and `ahead` bytes behind it.
 *   runs: number of the content, start and end of the chunks whose keys are not in the table, from `before` bytes ahead of
 *   each to `after` behind it, ascending and apart; text: their bytes, each with a newline behind it;
 *   keys: number, start, end and key of each of these chunks, which are in the table now; of four slots that a key may take,
 *   the one it drives out is chosen by the key; again: the same of those that another of this call stood for.
 *
 * learn(table, keys, again, spans) -> again
 *   Takes the keys of chunks that touch a span (number, start, end; by number) out of the table; again: number, start and
 *   end of chunks that one of these stood for.
 *
 * notes(into) -> function
 *   A handler for Hyperscan that adds gate and end to a bytearray, 64-bit integers.
 *
 * anchored(contents, runs, ends, gates, members, rules, words, classes) -> hits
 *   ends: what `notes` noted in `text` of `runs`; all others 32-bit integers: gates: width (0: variable), place of its first
 *   rule in members, how many; rules: how many characters in a row stand in a value at least, number of their class (256
 *   bytes each, 1 for those in it), how far behind the gate at most, the reach before a variable gate's end, where its words
 *   (length and lower-case text) begin, how many; hits: number of the content, rule, where its anchor begins, but for those
 *   without such a run.
 *
 * answers(table, seed, contents, hits, reach) -> (unknown, spans), keep(table, key, held)
 *   reach: of each rule 32-bit integers: bytes before and behind an anchor that decide, and whether what is known to hold
 *   nothing is a span, too; unknown: (content, rule, anchor, key); spans: (content, start, end, held).
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define LONGEST 4096 /* a chunk ends behind one line of sixteen, or where it has grown so long */
#define WAYS 4
#ifdef __GNUC__
#define FETCH(at) __builtin_prefetch(at)
#else
#define FETCH(at) (void)(at)
#endif

typedef struct {
    int64_t *at;
    size_t used, room;
} numbers;

static int push(numbers *n, int64_t value)
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

static uint64_t mixed(uint64_t a)
{
    a ^= a >> 32;
    a *= 0xd6e8feb86659fd93u;
    a ^= a >> 29;
    return a;
}

/* Hash with a secret start: who writes a repository can't know which texts collide. */
static uint64_t hashed(const unsigned char *p, size_t size, uint64_t seed)
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

static int holds(const uint64_t *table, uint64_t mask, uint64_t key)
{
    const uint64_t *bucket = table + (key & mask & ~(uint64_t)(WAYS - 1));
    return bucket[0] == key || bucket[1] == key || bucket[2] == key || bucket[3] == key;
}

static int table_of(Py_buffer *view, uint64_t *mask)
{
    uint64_t slots = (uint64_t)view->len / sizeof(uint64_t);
    if (slots < WAYS || slots & (slots - 1) || slots * sizeof(uint64_t) != (uint64_t)view->len) {
        PyErr_SetString(PyExc_ValueError, "a table has a power of two of slots");
        return -1;
    }
    *mask = slots - 1;
    return 0;
}

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

static PyObject *as_bytes(const numbers *n)
{
    return PyBytes_FromStringAndSize((const char *)n->at, (Py_ssize_t)(n->used * sizeof(int64_t)));
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

static PyObject *fresh(PyObject *self, PyObject *args)
{
    Py_buffer table;
    PyObject *contents, *text = NULL, *answer = NULL, *parts[4] = {NULL, NULL, NULL, NULL};
    unsigned long long seed;
    Py_ssize_t back, ahead, before, after;
    numbers all = {NULL, 0, 0}, runs = {NULL, 0, 0}, keys = {NULL, 0, 0}, again = {NULL, 0, 0};
    keyset mine = {NULL, 0, 0};
    uint64_t mask, *slots;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*KOnnnn", &table, &seed, &contents, &back, &ahead, &before, &after))
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
            if (holds(slots, mask, key)) {
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

/* Whether `least` characters of a class in a row stand in a text; looks at every `least`-th byte where there are none. */
static int has_run(const unsigned char *p, const unsigned char *end, int32_t least, const unsigned char *class)
{
    while (end - p >= least) {
        const unsigned char *q = p + least;
        while (q > p && class[q[-1]])
            q--;
        if (q == p)
            return 1;
        p = q;
    }
    return 0;
}

/* Note a hit of Hyperscan's: (gate, start, end, flags, context). */
static PyObject *note(PyObject *self, PyObject *args)
{
    int64_t pair[2] = {PyLong_AsLongLong(PyTuple_GetItem(args, 0)), PyLong_AsLongLong(PyTuple_GetItem(args, 2))};
    if (PyErr_Occurred())
        return NULL;
    Py_ssize_t size = PyByteArray_Size(self);
    if (PyByteArray_Resize(self, size + (Py_ssize_t)sizeof(pair)))
        return NULL;
    memcpy(PyByteArray_AsString(self) + size, pair, sizeof(pair));
    Py_RETURN_NONE;
}

static PyMethodDef noting = {"note", note, METH_VARARGS, "note(gate, start, end, flags, context)"};

static PyObject *notes(PyObject *self, PyObject *into)
{
    (void)self;
    if (!PyByteArray_Check(into)) {
        PyErr_SetString(PyExc_TypeError, "hits are noted in a bytearray");
        return NULL;
    }
    return PyCFunction_New(&noting, into);
}

static int lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static int stands_at(const unsigned char *p, const unsigned char *word, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (lower(p[i]) != word[i])
            return 0;
    return 1;
}

static PyObject *anchored(PyObject *self, PyObject *args)
{
    Py_buffer runs_, ends_, gates_, members_, rules_, words_, classes_;
    PyObject *contents, *answer = NULL;
    numbers out = {NULL, 0, 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*y*y*y*y*y*y*", &contents, &runs_, &ends_, &gates_, &members_, &rules_, &words_,
                          &classes_))
        return NULL;
    const int64_t *run = runs_.buf, *hit = ends_.buf;
    const int32_t *gates = gates_.buf, *members = members_.buf, *rules = rules_.buf;
    const unsigned char *words = words_.buf, *classes = classes_.buf, *bytes = NULL;
    size_t runs = (size_t)runs_.len / sizeof(int64_t) / 3, hits = (size_t)ends_.len / sizeof(int64_t) / 2, in = 0;
    int64_t gate_count = gates_.len / (Py_ssize_t)sizeof(int32_t) / 3, begin = 0, known = -1;
    Py_ssize_t size = 0;
    for (size_t i = 0; i < hits; i++, hit += 2) {
        int64_t gate = hit[0], end = hit[1];
        if (gate < 0 || gate >= gate_count || !runs) {
            PyErr_SetString(PyExc_ValueError, "there is no such gate or window");
            goto done;
        }
        /* hits come in the order of their ends, or nearly */
        while (in > 0 && begin > end) {
            in--;
            begin -= run[3 * in + 2] - run[3 * in + 1] + 1;
        }
        while (in + 1 < runs && begin + run[3 * in + 2] - run[3 * in + 1] + 1 <= end) {
            begin += run[3 * in + 2] - run[3 * in + 1] + 1;
            in++;
        }
        int64_t which = run[3 * in], place = run[3 * in + 1] + end - begin;
        if (which != known) {
            PyObject *pair = PyList_GetItem(contents, (Py_ssize_t)which);
            char *raw;
            if (!pair || PyBytes_AsStringAndSize(PyTuple_GetItem(pair, 0), &raw, &size))
                goto done;
            bytes = (const unsigned char *)raw;
            known = which;
        }
        if (place > size && place == run[3 * in + 2] + 1)
            continue; /* it ended with the byte between two windows */
        if (place < 0 || place > size) {
            PyErr_SetString(PyExc_ValueError, "a hit stands outside the data");
            goto done;
        }
        const int32_t *three = gates + 3 * gate;
        for (int32_t m = three[1]; m < three[1] + three[2]; m++) {
            int64_t index = members[m];
            const int32_t *rule = rules + 6 * index; /* least, class, after, reach, its words, how many */
            if (three[0]) {
                int64_t stop = place + rule[2];
                if (rule[0] > 0 && !has_run(bytes + place, bytes + (stop < size ? stop : size), rule[0],
                                            classes + 256 * (size_t)rule[1]))
                    continue;
                if (push(&out, which) || push(&out, index) || push(&out, place - three[0]))
                    goto memory;
                continue;
            }
            for (int64_t at = place > rule[3] ? place - rule[3] : 0; at < place; at++) {
                const unsigned char *word = words + rule[4];
                int first = lower(bytes[at]);
                for (int32_t w = 0; w < rule[5]; w++, word += 1 + *word)
                    if (first == word[1] && at + *word <= place && stands_at(bytes + at, word + 1, *word)) {
                        if (push(&out, which) || push(&out, index) || push(&out, at))
                            goto memory;
                        break;
                    }
            }
        }
    }
    answer = as_bytes(&out);
    goto done;
memory:
    PyErr_NoMemory();
done:
    PyMem_Free(out.at);
    PyBuffer_Release(&runs_);
    PyBuffer_Release(&ends_);
    PyBuffer_Release(&gates_);
    PyBuffer_Release(&members_);
    PyBuffer_Release(&rules_);
    PyBuffer_Release(&words_);
    PyBuffer_Release(&classes_);
    return answer;
}

static PyObject *answers(PyObject *self, PyObject *args)
{
    Py_buffer table, hits_, reach_;
    unsigned long long seed;
    PyObject *contents, *unknown = NULL, *spans = NULL, *answer = NULL;
    uint64_t mask;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*KOy*y*", &table, &seed, &contents, &hits_, &reach_))
        return NULL;
    unknown = PyList_New(0);
    spans = PyList_New(0);
    if (table_of(&table, &mask) || !unknown || !spans)
        goto done;
    const int64_t *hit = hits_.buf;
    const int32_t *reach = reach_.buf;
    size_t hits = (size_t)hits_.len / sizeof(int64_t) / 3;
    int64_t known = -1;
    char *raw = NULL;
    Py_ssize_t size = 0;
    for (size_t i = 0; i < hits; i++, hit += 3) {
        int64_t rule = hit[1], at = hit[2];
        if (hit[0] != known) {
            PyObject *pair = PyList_GetItem(contents, (Py_ssize_t)hit[0]);
            if (!pair || PyBytes_AsStringAndSize(PyTuple_GetItem(pair, 0), &raw, &size))
                goto done;
            known = hit[0];
        }
        const int32_t *of = reach + 3 * rule; /* back, ahead, whether its anchors are watched */
        int64_t start = at > of[0] ? at - of[0] : 0, end = at + of[1] > size ? size : at + of[1];
        uint64_t key = hashed((unsigned char *)raw + start, (size_t)(end - start),
                              mixed(seed ^ (uint64_t)rule ^ (uint64_t)(at - start) << 32 ^ (uint64_t)(end - at) << 48));
        key = (key | 4) & ~(uint64_t)3;
        const uint64_t *bucket = (const uint64_t *)table.buf + (key >> 3 & mask & ~(uint64_t)(WAYS - 1));
        int way = 0;
        while (way < WAYS && (bucket[way] & ~(uint64_t)3) != key)
            way++;
        PyObject *item;
        int held = way < WAYS ? (int)(bucket[way] & 3) : 0;
        if (way == WAYS)
            item = Py_BuildValue("LLLK", (long long)hit[0], (long long)rule, (long long)at, (unsigned long long)key);
        else if (held || of[2])
            item = Py_BuildValue("LLLi", (long long)hit[0], (long long)start, (long long)end, held);
        else
            continue;
        if (!item || PyList_Append(way == WAYS ? unknown : spans, item)) {
            Py_XDECREF(item);
            goto done;
        }
        Py_DECREF(item);
    }
    answer = PyTuple_Pack(2, unknown, spans);
done:
    Py_XDECREF(unknown);
    Py_XDECREF(spans);
    PyBuffer_Release(&table);
    PyBuffer_Release(&hits_);
    PyBuffer_Release(&reach_);
    return answer;
}

static PyObject *keep(PyObject *self, PyObject *args)
{
    Py_buffer table;
    unsigned long long key;
    int held;
    uint64_t mask;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*Ki", &table, &key, &held))
        return NULL;
    int failed = table_of(&table, &mask);
    if (!failed) {
        uint64_t *bucket = (uint64_t *)table.buf + (key >> 3 & mask & ~(uint64_t)(WAYS - 1));
        int way = 0;
        while (way < WAYS && bucket[way])
            way++;
        bucket[way < WAYS ? way : (int)(key >> 62)] = key | (uint64_t)(held & 3);
    }
    PyBuffer_Release(&table);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"notes", notes, METH_O, "notes(into) -> a function that notes a hit there"},
    {"anchored", anchored, METH_VARARGS, "anchored(contents, runs, ends, gates, members, rules, words, classes) -> hits"},
    {"answers", answers, METH_VARARGS, "answers(table, seed, contents, hits, reach) -> (unknown, spans)"},
    {"keep", keep, METH_VARARGS, "keep(table, key, held)"},
    {"fresh", fresh, METH_VARARGS, "fresh(table, seed, contents, back, ahead, before, after) -> (text, runs, keys, again)"},
    {"learn", learn, METH_VARARGS, "learn(table, keys, again, spans) -> again"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModule_Create(&module);
}
