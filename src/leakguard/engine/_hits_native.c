/* Inner loops of the engine for many contents at once, for `prefilter.py` (where rules have to be looked for) and `seen.py` (what
 * came of a hit before, with the same bytes round it). Contents and runs as `_native.c` has them.
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
#include "_keys.h"

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
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_hits_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__hits_native(void)
{
    return PyModule_Create(&module);
}
