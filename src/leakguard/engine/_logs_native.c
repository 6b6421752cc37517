/* Inner loops for the text of logs, see `logs.py`.
 *
 * cleaned(raw, begins, prefixes) -> (data, at, moved, marks)
 *   The loop of `logs.clean`; at, moved and marks: native 64-bit integers as bytes.
 *
 * newlines(data, start, end) -> count
 */
#include "_keys.h"

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

/* What may stand in a run beside letters and digits, as bits of a table. */
enum { NAME = 1, LABEL = 2, BASE = 4, UNIT = 8 };
static unsigned char classes[256];

static void tables(void)
{
    static const char *others[] = {"_.-", " _./:,@+-", "+/=", "_./@-"};
    for (int c = 0; c < 128; c++)
        for (int i = 0; i < 4; i++)
            if (digit(c) || letter(c) || (c && strchr(others[i], c)))
                classes[c] |= 1 << i;
}

static bytes_at run(bytes_at p, bytes_at end, int kind, int most)
{
    if (end - p > most)
        end = p + most;
    while (p < end && classes[*p] & kind)
        p++;
    return p;
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
    if (end - p < 19 || p[4] != '-' || p[7] != '-' || !digit(p[0]) || !digit(p[1]) || !digit(p[2]) || !digit(p[3]) ||
        !digit(p[5]) || !digit(p[6]) || !digit(p[8]) || !digit(p[9]) || (p[10] != 'T' && p[10] != ' ') || !(p = clock_time(p + 11, end)))
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
        q = run(p, end, NAME, 67);
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
    if (*p == '[' && !word(p, end, "[Pipeline]") && end - p > 3 && (digit(p[1]) || letter(p[1])) && (q = word(run(p + 2, end, LABEL, 98), end, "] ")))
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
        r = run(q + 1, end, NAME, 64);
        if (r == q + 1 || r >= end || *r != ' ')
            return NULL;
        q = run(r + 1, end, UNIT, 64);
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
        bytes_at stop = run(q, end, BASE, 65536);
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
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_logs_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__logs_native(void)
{
    tables();
    return PyModule_Create(&module);
}
