/* Inner loops of the engine, for `seen.py` (which lines were looked at before, with the same bytes round them),
 * `prefilter.py` (which hits have a value near) and `logs.py` (a log's text).
 *
 * likely(data, ends, windows, needs) -> hits
 *   ends: a list of (gate, end), positions in the windows of `data` joined with a byte between them; windows: native 64-bit
 *   integers, start and end in turn; needs: two native 32-bit integers a gate, how many letters, digits, `_` and `-` in a
 *   row stand in a value at least, and how far behind the gate at most. hits: (gate, end), positions in `data`, but
 *   for those that have no such run behind them.
 *
 * fresh(table, seed, data, windows, back, ahead, before, after) -> (runs, keys)
 *   table: a writable buffer, a power of two of 64-bit keys, zero where free; seed: a secret 64-bit number;
 *   windows: native 64-bit integers, start and end in turn, ascending and apart. Each is cut into chunks where a line says so
 *   by itself, so that the same text is cut alike wherever it stands. A chunk's key is made of its bytes, of `back` bytes
 *   before it and `ahead` bytes behind it.
 *   runs: start and end in turn of the chunks whose keys are not in the table, from `before` bytes ahead of each to `after`
 *   behind it, ascending and apart;
 *   keys: start, end and key of each of these chunks in turn.
 *
 * cleaned(raw, begins, prefixes) -> (data, at, moved, marks)
 *   The loop of `logs.clean`; at, moved and marks: native 64-bit integers as bytes.
 *
 * newlines(data, start, end) -> count
 *
 * learn(table, keys, spans) -> None
 *   Puts the keys of `fresh` into the table, but for chunks that touch one of the spans (start and end in turn, ascending by
 *   start). Of four slots a key may take, the one it drives out is chosen by the key.
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

static PyObject *fresh(PyObject *self, PyObject *args)
{
    Py_buffer table, data, windows;
    unsigned long long seed;
    Py_ssize_t back, ahead, before, after;
    PyObject *runs_out = NULL, *keys_out = NULL, *answer = NULL;
    numbers all = {NULL, 0, 0}, runs = {NULL, 0, 0}, keys = {NULL, 0, 0};
    uint64_t mask;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*Ky*y*nnnn", &table, &seed, &data, &windows, &back, &ahead, &before, &after))
        return NULL;
    if (table_of(&table, &mask))
        goto done;
    const unsigned char *bytes = data.buf;
    const int64_t *window = windows.buf;
    int64_t size = data.len;
    size_t count = (size_t)windows.len / sizeof(int64_t) / 2;
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
                uint64_t shape = (uint64_t)(start - from) ^ ((uint64_t)(to - next) << 20) ^ ((uint64_t)(next - start) << 40);
                uint64_t key = hashed(bytes + from, (size_t)(to - from), mixed(shape ^ seed));
                if (!key)
                    key = 1;
                FETCH((const uint64_t *)table.buf + (key & mask));
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
        if (holds(table.buf, mask, (uint64_t)all.at[i + 2]))
            continue;
        int64_t left = start - before < 0 ? 0 : start - before, right = next + after > size ? size : next + after;
        if (runs.used && runs.at[runs.used - 1] >= left)
            runs.at[runs.used - 1] = right;
        else if (push(&runs, left) || push(&runs, right))
            goto memory;
        if (push(&keys, start) || push(&keys, next) || push(&keys, all.at[i + 2]))
            goto memory;
    }
    runs_out = PyBytes_FromStringAndSize((const char *)runs.at, (Py_ssize_t)(runs.used * sizeof(int64_t)));
    keys_out = PyBytes_FromStringAndSize((const char *)keys.at, (Py_ssize_t)(keys.used * sizeof(int64_t)));
    if (runs_out && keys_out)
        answer = PyTuple_Pack(2, runs_out, keys_out);
    goto done;
memory:
    PyErr_NoMemory();
done:
    PyMem_Free(all.at);
    PyMem_Free(runs.at);
    PyMem_Free(keys.at);
    Py_XDECREF(runs_out);
    Py_XDECREF(keys_out);
    PyBuffer_Release(&table);
    PyBuffer_Release(&data);
    PyBuffer_Release(&windows);
    return answer;
}

static PyObject *learn(PyObject *self, PyObject *args)
{
    Py_buffer table, keys, spans;
    PyObject *answer = NULL;
    uint64_t mask;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*y*y*", &table, &keys, &spans))
        return NULL;
    if (table_of(&table, &mask))
        goto done;
    uint64_t *slots = table.buf;
    const int64_t *chunk = keys.buf, *span = spans.buf;
    size_t chunks = (size_t)keys.len / sizeof(int64_t) / 3, count = (size_t)spans.len / sizeof(int64_t) / 2;
    for (size_t i = 0; i < chunks; i++, chunk += 3) {
        uint64_t key = (uint64_t)chunk[2];
        int touched = 0;
        for (size_t j = 0; j < count && !touched; j++)
            touched = span[2 * j] < chunk[1] && span[2 * j + 1] > chunk[0];
        if (touched || holds(slots, mask, key))
            continue;
        uint64_t *bucket = slots + (key & mask & ~(uint64_t)(WAYS - 1));
        int way = 0;
        while (way < WAYS && bucket[way])
            way++;
        bucket[way < WAYS ? way : (int)(key >> 62)] = key;
    }
    Py_INCREF(Py_None);
    answer = Py_None;
done:
    PyBuffer_Release(&table);
    PyBuffer_Release(&keys);
    PyBuffer_Release(&spans);
    return answer;
}

static int in_word(unsigned char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26 || (unsigned char)(c - '0') < 10 || c == '_' || c == '-';
}

/* Whether `least` word characters in a row stand in a text; looks at every `least`-th byte where there are none. */
static int has_run(const unsigned char *p, const unsigned char *end, int32_t least)
{
    while (end - p >= least) {
        const unsigned char *q = p + least;
        while (q > p && in_word(q[-1]))
            q--;
        if (q == p)
            return 1;
        p = q;
    }
    return 0;
}

static PyObject *likely(PyObject *self, PyObject *args)
{
    Py_buffer data, windows, needs;
    PyObject *ends, *out = NULL, *kept = NULL;
    int64_t *begins = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*Oy*y*", &data, &ends, &windows, &needs))
        return NULL;
    const int64_t *window = windows.buf;
    const int32_t *need = needs.buf;
    const unsigned char *bytes = data.buf;
    Py_ssize_t count = windows.len / (Py_ssize_t)sizeof(int64_t) / 2, gates = needs.len / (Py_ssize_t)sizeof(int32_t) / 2;
    Py_ssize_t hits = PyList_Size(ends);
    begins = PyMem_Malloc((size_t)(count + 1) * sizeof(int64_t));
    out = PyList_New(0);
    if (hits < 0 || !begins || !out)
        goto done;
    int64_t at = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        begins[i] = at;
        at += window[2 * i + 1] - window[2 * i] + 1;
    }
    Py_ssize_t in = 0;
    for (Py_ssize_t i = 0; i < hits; i++) {
        PyObject *hit = PyList_GetItem(ends, i);
        int64_t gate = PyLong_AsLongLong(PyTuple_GetItem(hit, 0)), end = PyLong_AsLongLong(PyTuple_GetItem(hit, 1));
        if (PyErr_Occurred())
            goto done;
        if (gate < 0 || gate >= gates || !count) {
            PyErr_SetString(PyExc_ValueError, "there is no such gate or window");
            goto done;
        }
        /* hits come in the order of their ends, or nearly */
        while (in > 0 && begins[in] > end)
            in--;
        while (in + 1 < count && begins[in + 1] <= end)
            in++;
        int64_t place = window[2 * in] + end - begins[in];
        if (place < 0 || place > data.len) {
            PyErr_SetString(PyExc_ValueError, "a hit stands outside the data");
            goto done;
        }
        int32_t least = need[2 * gate];
        int64_t stop = place + need[2 * gate + 1];
        if (least > 0 && !has_run(bytes + place, bytes + (stop < data.len ? stop : data.len), least))
            continue;
        PyObject *pair = place == end ? hit : Py_BuildValue("LL", (long long)gate, (long long)place);
        if (!pair || PyList_Append(out, pair)) {
            if (pair && pair != hit)
                Py_DECREF(pair);
            goto done;
        }
        if (pair != hit)
            Py_DECREF(pair);
    }
    kept = out;
    out = NULL;
done:
    Py_XDECREF(out);
    PyMem_Free(begins);
    PyBuffer_Release(&data);
    PyBuffer_Release(&windows);
    PyBuffer_Release(&needs);
    return kept;
}

/* What `logs.py` says in regular expressions; each returns the end of what it reads, or NULL. */
typedef const unsigned char *bytes_at;

static int digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static int letter(unsigned char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bytes_at digits(bytes_at p, bytes_at end, int least, int most)
{
    int n = 0;
    while (n < most && p + n < end && digit(p[n]))
        n++;
    return n >= least ? p + n : NULL;
}

static bytes_at run(bytes_at p, bytes_at end, const char *others, int most)
{
    int n = 0;
    while (n < most && p + n < end && (digit(p[n]) || letter(p[n]) || (p[n] < 128 && p[n] && strchr(others, p[n]))))
        n++;
    return p + n;
}

static bytes_at word(bytes_at p, bytes_at end, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(end - p) >= size && !memcmp(p, text, size) ? p + size : NULL;
}

static bytes_at clock_time(bytes_at p, bytes_at end)
{
    return end - p >= 8 && digit(p[0]) && digit(p[1]) && p[2] == ':' && digit(p[3]) && digit(p[4]) && p[5] == ':' &&
                   digit(p[6]) && digit(p[7])
               ? p + 8
               : NULL;
}

static bytes_at fraction(bytes_at p, bytes_at end, int most)
{
    bytes_at q = p < end && (*p == '.' || *p == ',') ? digits(p + 1, end, 1, most) : NULL;
    return q ? q : p;
}

static bytes_at iso_time(bytes_at p, bytes_at end)
{
    if (end - p < 19 || !digits(p, p + 4, 4, 4) || p[4] != '-' || !digits(p + 5, p + 7, 2, 2) || p[7] != '-' ||
        !digits(p + 8, p + 10, 2, 2) || (p[10] != 'T' && p[10] != ' ') || !(p = clock_time(p + 11, end)))
        return NULL;
    p = fraction(p, end, 9);
    if (p < end && *p == 'Z')
        return p + 1;
    if (p < end && (*p == '+' || *p == '-')) {
        bytes_at q = digits(p + 1, end, 2, 2);
        if (q && q < end && *q == ':')
            q++;
        if (q && (q = digits(q, end, 2, 2)))
            return q;
    }
    return p;
}

static bytes_at gitlab(bytes_at p, bytes_at end) /* behind the time */
{
    return end - p >= 4 && p[0] == ' ' && (digit(p[1]) || (p[1] >= 'a' && p[1] <= 'f')) &&
                   (digit(p[2]) || (p[2] >= 'a' && p[2] <= 'f')) && (p[3] == 'O' || p[3] == 'E')
               ? p + 4
               : NULL;
}

static bytes_at columns(bytes_at p, bytes_at end)
{
    static const int most[] = {100, 200};
    if (!memchr(p, '\t', end - p < 101 ? end - p : 101))
        return NULL;
    for (int i = 0; i < 2; i++) {
        int n = 0;
        while (n <= most[i] && p + n < end && p[n] != '\t' && p[n] != '\n' && p[n] != 27)
            n++;
        if (!n || n > most[i] || p + n >= end || p[n] != '\t')
            return NULL;
        p += n + 1;
    }
    bytes_at q = word(p, end, "\xef\xbb\xbf");
    return iso_time(q ? q : p, end) ? p : NULL;
}

static bytes_at prefix(bytes_at p, bytes_at end)
{
    bytes_at q, r;
    if (p >= end)
        return NULL;
    if (digit(*p)) {
        if ((q = iso_time(p, end))) {
            if ((r = gitlab(q, end)) && r < end && (*r == ' ' || *r == '+'))
                return r + 1;
            if (((r = word(q, end, " stdout ")) || (r = word(q, end, " stderr "))) && end - r >= 2 && (*r == 'F' || *r == 'P') &&
                r[1] == ' ')
                return r + 2;
            if (q < end && (*q == ' ' || *q == '\t'))
                return q + 1;
        }
        if ((q = clock_time(p, end)) && (q = fraction(q, end, 6)) < end && *q == ' ')
            return q + 1 < end && q[1] == ' ' ? q + 2 : q + 1;
    }
    if (digit(*p) || letter(*p)) {
        q = run(p, end, "_.-", 67);
        r = q;
        while (r > p && digit(r[-1]))
            r--;
        if (q - r >= 1 && q - r <= 3 && r - p >= 2 && r - p <= 63 && (r[-1] == '-' || r[-1] == '_')) {
            int n = 0;
            while (n < 40 && q + n < end && q[n] == ' ')
                n++;
            if (n && (r = word(q + n, end, "| ")))
                return r;
        }
    }
    if (*p == '[' && !word(p, end, "[Pipeline]") && end - p > 3 && (digit(p[1]) || letter(p[1])) && (q = word(run(p + 2, end, " _./:,@+-", 98), end, "] ")))
        return q;
    if (*p == '#' && (q = digits(p + 1, end, 1, 4)) && q < end && *q == ' ') {
        q++;
        return (r = digits(q, end, 1, 5)) && r < end && *r == '.' && (r = digits(r + 1, end, 1, 3)) && r < end && *r == ' ' ? r + 1
                                                                                                                     : q;
    }
    if ((q = columns(p, end)) || (q = word(p, end, "\xef\xbb\xbf")))
        return q;
    if (end - p > 16 && *p >= 'A' && *p <= 'Z' && p[1] >= 'a' && p[1] <= 'z' && p[2] >= 'a' && p[2] <= 'z' && p[3] == ' ' &&
        (p[4] == ' ' || digit(p[4])) && digit(p[5]) && p[6] == ' ' && (q = clock_time(p + 7, end)) && q < end && *q == ' ') {
        r = run(q + 1, end, "_.-", 64);
        if (r == q + 1 || r >= end || *r != ' ')
            return NULL;
        q = run(r + 1, end, "_./@-", 64);
        if (q == r + 1)
            return NULL;
        if (q < end && *q == '[' && (r = digits(q + 1, end, 1, 8)) && r < end && *r == ']')
            q = r + 1;
        return word(q, end, ": ");
    }
    return NULL;
}

static bytes_at sequence(bytes_at p, bytes_at end, int *apart) /* behind the ESC */
{
    bytes_at q;
    *apart = 0;
    if ((q = word(p, end, "[8mha:"))) {
        bytes_at stop = run(q, end, "+/=", 65536);
        if ((q = word(stop, end, "\x1b[0m")))
            return q;
    }
    if ((q = word(p, end, "_bk;t=")) && (q = digits(q, end, 1, 20)) && q < end && *q == 7)
        return q + 1;
    if (p < end && *p == '[') {
        int n = 0;
        for (q = p + 1; n < 64 && q < end && *q >= '0' && *q <= '?'; n++)
            q++;
        for (n = 0; n < 8 && q < end && *q >= ' ' && *q <= '/'; n++)
            q++;
        if (q < end && *q >= '@' && *q <= '~') {
            *apart = strchr("ABCDEFGHJSTXPLMdfae`@", *q) != NULL;
            return q + 1;
        }
    }
    int n = 0;
    while (n < 4 && p + n < end && p[n] >= ' ' && p[n] <= '/')
        n++;
    if (n && p + n < end && p[n] >= '0' && p[n] <= '~')
        return p + n + 1;
    if (p < end && *p >= '0' && *p <= '~') {
        *apart = *p == '\\';
        return p + 1;
    }
    return p;
}

/* Whether a line says which step of a job begins or ends; `apc`: a time of Buildkite stands before it. */
static int mark(bytes_at p, bytes_at end, int apc)
{
    if (end - p < 4)
        return 0;
    switch (*p) {
    case '#':
        return p[1] == '#' && p[2] == '[';
    case 's':
        return word(p, end, "section_start:") || word(p, end, "section_end:");
    case 't':
        return word(p, end, "travis_fold:") != NULL;
    case '[':
        return word(p, end, "[Pipeline] {") != NULL;
    case '-':
    case '+':
    case '~':
        return apc && p[1] == *p && p[2] == *p && p[3] == ' ';
    }
    return 0;
}

/* The next byte below 32, by eight at a time. */
static bytes_at control(bytes_at p, bytes_at end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t eight;
        memcpy(&eight, p, 8);
        if ((eight - 0x2020202020202020u) & ~eight & 0x8080808080808080u)
            break;
    }
    while (p < end && *p >= 32)
        p++;
    return p;
}

typedef struct {
    unsigned char *out;
    size_t have;
    bytes_at raw, from; /* what is copied next */
    numbers at, moved, marks;
} cleaning;

static int drop(cleaning *c, bytes_at start, bytes_at end, int blank)
{
    if (start > c->from) {
        memcpy(c->out + c->have, c->from, start - c->from);
        c->have += start - c->from;
    }
    c->from = end;
    int64_t skip = (end - c->raw) - (int64_t)c->have - blank;
    if (c->at.at[c->at.used - 1] == (int64_t)c->have)
        c->moved.at[c->moved.used - 1] = skip;
    else if (push(&c->at, c->have) || push(&c->moved, skip))
        return -1;
    if (blank)
        c->out[c->have++] = ' ';
    return 0;
}

static PyObject *cleaned(PyObject *self, PyObject *args)
{
    Py_buffer raw;
    int begins, prefixes, apart;
    PyObject *result = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*pp", &raw, &begins, &prefixes))
        return NULL;
    bytes_at p = raw.buf, end = p + raw.len, q;
    cleaning c = {PyMem_Malloc(raw.len + 1), 0, p, p, {0}, {0}, {0}};
    if (!c.out || push(&c.at, 0) || push(&c.moved, 0))
        goto memory;
    int line = begins;
    while (p < end) {
        if (line) {
            bytes_at start = p;
            for (int n = 0; n < 12; n++) {
                if (p < end && *p == 27)
                    q = sequence(p + 1, end, &apart);
                else
                    q = prefixes ? prefix(p, end) : NULL;
                if (!q)
                    break;
                p = q;
            }
            if (p > start && drop(&c, start, p, 0))
                goto memory;
            if (prefixes && mark(p, end, p > start && p[-1] == 7) && push(&c.marks, p - c.raw))
                goto memory;
            line = 0;
        }
        p = control(p, end);
        if (p >= end)
            break;
        switch (*p) {
        case '\n':
            line = 1;
            if (prefixes && (q = iso_time(p + 1, end)) && (q = gitlab(q, end)) && q < end && *q == '+') {
                if (drop(&c, p > c.from && p[-1] == '\r' ? p - 1 : p, q + 1, 0))
                    goto memory;
                p = q;
                line = 0;
            }
            p++;
            break;
        case 27:
            q = sequence(p + 1, end, &apart);
            if (drop(&c, p, q, apart))
                goto memory;
            p = q;
            break;
        case 8:
            if (drop(&c, p > c.from && p[-1] >= ' ' && p[-1] <= '~' ? p - 1 : p, p + 1, 0))
                goto memory;
            p++;
            break;
        case 7:
            if (drop(&c, p, p + 1, 1))
                goto memory;
            p++;
            break;
        default:
            p++;
        }
    }
    if (end > c.from) {
        memcpy(c.out + c.have, c.from, end - c.from);
        c.have += end - c.from;
    }
    result = Py_BuildValue("y#y#y#y#", c.out, (Py_ssize_t)c.have, c.at.at, (Py_ssize_t)(c.at.used * sizeof(int64_t)), c.moved.at,
                           (Py_ssize_t)(c.moved.used * sizeof(int64_t)), c.marks.used ? (char *)c.marks.at : "",
                           (Py_ssize_t)(c.marks.used * sizeof(int64_t)));
    goto done;
memory:
    PyErr_NoMemory();
done:
    PyMem_Free(c.out);
    PyMem_Free(c.at.at);
    PyMem_Free(c.moved.at);
    PyMem_Free(c.marks.at);
    PyBuffer_Release(&raw);
    return result;
}

static PyObject *newlines(PyObject *self, PyObject *args)
{
    Py_buffer data;
    Py_ssize_t start, stop;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*nn", &data, &start, &stop))
        return NULL;
    bytes_at p = data.buf, end = p + (stop < data.len ? stop : data.len);
    Py_ssize_t count = 0;
    for (p += start; end - p >= 8; p += 8) {
        uint64_t eight;
        memcpy(&eight, p, 8);
        eight ^= 0x0a0a0a0a0a0a0a0au;
        /* the high bit of each byte that is not zero */
        eight = ((eight & 0x7f7f7f7f7f7f7f7fu) + 0x7f7f7f7f7f7f7f7fu) | eight;
        count += ((~eight & 0x8080808080808080u) >> 7) * 0x0101010101010101u >> 56;
    }
    for (; p < end; p++)
        count += *p == '\n';
    PyBuffer_Release(&data);
    return PyLong_FromSsize_t(count);
}

static PyMethodDef methods[] = {
    {"newlines", newlines, METH_VARARGS, "newlines(data, start, end) -> count"},
    {"cleaned", cleaned, METH_VARARGS, "cleaned(raw, begins, prefixes) -> (data, at, moved, marks)"},
    {"likely", likely, METH_VARARGS, "likely(data, ends, windows, needs) -> hits"},
    {"fresh", fresh, METH_VARARGS, "fresh(table, seed, data, windows, back, ahead, before, after) -> (runs, keys)"},
    {"learn", learn, METH_VARARGS, "learn(table, keys, spans)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModule_Create(&module);
}
