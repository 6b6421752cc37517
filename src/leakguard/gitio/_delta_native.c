/* The inner loops of reading packs, with the same results as their twins in `delta.py`.
 *
 * carried(delta, spans) -> places
 *   spans: start and end in turn, in the base; places: a span's number and where it starts in the result, in turn, once for
 *   each copy of it; None where one was cut, or where one that ends with the base does not end with the result.
 *
 * apply(base, delta, before, after) -> (result, windows)
 *   windows: native 64-bit integers, start and end in turn, ascending and apart: the bytes of `result` from `before` ahead
 *   of a change to `after` behind it. A change is an insert, a seam between copies that do not continue each other, and
 *   the ends of the result where a copy cut the base there.
 * ValueError where the delta does not fit its base.
 *
 * rebuild(pack, stack, readers, before, after, limit, room, most) -> objects
 *   pack: file descriptor, where the last object ends, and buffers: offsets, rows (as `heads` tells), each object's first
 *   delta and next sibling (64-bit integers, -1: none), a byte an object whether it is wanted (empty: all are);
 *   stack: a list of (number, number of its base or -1, content of the base or None), from which objects are taken and to
 *   which those that build on them are added, until `most` are done or about `room` bytes; readers: inflate(raw, bits, size)
 *   for those up to so many bytes (the third), read(number) for others, which answers None where one is damaged;
 *   objects: a list of (number, base's number, content, windows, delta); the content is None where it is damaged, longer
 *   than `limit`, or its base's is; windows are None where there is no base.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    int64_t *at;
    size_t used, room;
} spans;

static int add(spans *s, int64_t start, int64_t end)
{
    if (s->used && start <= s->at[s->used - 1]) {
        if (end > s->at[s->used - 1])
            s->at[s->used - 1] = end;
        return 0;
    }
    if (s->used + 2 > s->room) {
        size_t room = s->room ? s->room * 2 : 32;
        int64_t *grown = PyMem_Realloc(s->at, room * sizeof(int64_t));
        if (!grown)
            return -1;
        s->at = grown;
        s->room = room;
    }
    s->at[s->used++] = start;
    s->at[s->used++] = end;
    return 0;
}

static int size_at(const unsigned char **p, const unsigned char *end, uint64_t *out)
{
    uint64_t value = 0;
    unsigned shift = 0, byte;
    do {
        if (*p >= end || shift > 56)
            return -1;
        byte = *(*p)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    *out = value;
    return 0;
}

/* What a delta makes of its base, as new bytes; NULL with ValueError where it does not fit, or MemoryError. */
static PyObject *applied(const char *base, size_t base_size, const char *delta, size_t delta_size, int64_t before,
                         int64_t after, spans *found)
{
    const unsigned char *p = (const unsigned char *)delta, *end = p + delta_size;
    uint64_t source, size;
    PyObject *result = NULL;
    if (size_at(&p, end, &source) || size_at(&p, end, &size) || source != (uint64_t)base_size || size > PY_SSIZE_T_MAX)
        goto wrong;
    result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!result)
        return NULL;
    char *out = PyBytes_AsString(result);
    uint64_t at = 0, follows = 0; /* the result so far; where in the base the last copy ended */
    int copied = 1;               /* the last piece was a copy; at first, one that ended at the base's begin */
#define WINDOW(a, b)                                                                                                   \
    do {                                                                                                               \
        int64_t from_ = (int64_t)(a) - before, to_ = (int64_t)(b) + after;                                             \
        if (add(found, from_ < 0 ? 0 : from_, to_ > (int64_t)size ? (int64_t)size : to_))                              \
            goto memory;                                                                                               \
    } while (0)
    while (p < end) {
        unsigned op = *p++;
        if (op & 0x80) {
            uint64_t offset = 0, length = 0;
            for (int i = 0; i < 4; i++)
                if (op & (1u << i)) {
                    if (p >= end)
                        goto wrong;
                    offset |= (uint64_t)*p++ << (8 * i);
                }
            for (int i = 0; i < 3; i++)
                if (op & (0x10u << i)) {
                    if (p >= end)
                        goto wrong;
                    length |= (uint64_t)*p++ << (8 * i);
                }
            if (!length)
                length = 0x10000;
            if (offset + length > (uint64_t)base_size || at + length > size)
                goto wrong;
            if (!copied || offset != follows)
                WINDOW(at, at);
            memcpy(out + at, base + offset, length);
            at += length;
            follows = offset + length;
            copied = 1;
        } else if (op) {
            if ((uint64_t)(end - p) < op || at + op > size)
                goto wrong;
            WINDOW(at, at + op);
            memcpy(out + at, p, op);
            p += op;
            at += op;
            copied = 0;
        } else
            goto wrong;
    }
    if (at != size)
        goto wrong;
    if (copied && follows != (uint64_t)base_size)
        WINDOW(at, at);
    return result;
memory:
    PyErr_NoMemory();
    Py_XDECREF(result);
    return NULL;
wrong:
    PyErr_SetString(PyExc_ValueError, "the delta does not fit its base");
    Py_XDECREF(result);
    return NULL;
}

static PyObject *apply(PyObject *self, PyObject *args)
{
    Py_buffer base, delta;
    Py_ssize_t before, after;
    PyObject *windows = NULL, *answer = NULL;
    spans found = {NULL, 0, 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nn", &base, &delta, &before, &after))
        return NULL;
    PyObject *result = applied(base.buf, (size_t)base.len, delta.buf, (size_t)delta.len, before, after, &found);
    if (result)
        windows = PyBytes_FromStringAndSize((const char *)found.at, (Py_ssize_t)(found.used * sizeof(int64_t)));
    if (windows)
        answer = PyTuple_Pack(2, result, windows);
    PyMem_Free(found.at);
    Py_XDECREF(result);
    Py_XDECREF(windows);
    PyBuffer_Release(&base);
    PyBuffer_Release(&delta);
    return answer;
}

/* Forget an error that says that something is damaged; others (an interrupt) stay. */
static int damaged(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return 0;
    PyErr_Clear();
    return 1;
}

/* Read and inflate one object; Py_None where it is damaged. */
static PyObject *inflated(int fd, int64_t begin, int64_t end, int64_t size, PyObject *inflate)
{
    PyObject *raw = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(end - begin));
    if (!raw)
        return NULL;
    ssize_t got;
    do
        got = pread(fd, PyBytes_AsString(raw), (size_t)(end - begin), (off_t)begin);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        Py_DECREF(raw);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    /* a damaged header may tell any size; deflate gains a thousandfold at most */
    long long most = (end - begin) * 1040 + 64;
    PyObject *data = NULL;
    if (got == end - begin)
        data = PyObject_CallFunction(inflate, "OiL", raw, 15, size < most ? (size ? (long long)size : 1) : most);
    Py_DECREF(raw);
    if (data && PyBytes_Check(data) && PyBytes_Size(data) == size)
        return data;
    if (data)
        Py_DECREF(data);
    else if (PyErr_Occurred() && !damaged())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *rebuild(PyObject *self, PyObject *args)
{
    int fd;
    long long pack_end, limit, room, small;
    Py_ssize_t before, after, most;
    Py_buffer offsets_, rows_, first_, next_, wanted_;
    PyObject *stack, *inflate, *read, *out = NULL;
    spans found = {NULL, 0, 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "(iLy*y*y*y*y*)O!(OOL)nnLLn", &fd, &pack_end, &offsets_, &rows_, &first_, &next_, &wanted_,
                          &PyList_Type, &stack, &inflate, &read, &small, &before, &after, &limit, &room, &most))
        return NULL;
    const int64_t *offsets = offsets_.buf, *rows = rows_.buf, *first = first_.buf, *following = next_.buf;
    const char *wanted = wanted_.len ? wanted_.buf : NULL;
    int64_t count = offsets_.len / (Py_ssize_t)sizeof(int64_t);
    PyObject *top = NULL, *data = NULL, *delta = NULL, *windows = NULL;
    out = PyList_New(0);
    Py_ssize_t depth;
    while (out && room > 0 && PyList_Size(out) < most && (depth = PyList_Size(stack)) > 0) {
        top = PyList_GetItem(stack, depth - 1);
        Py_INCREF(top);
        if (PyList_SetSlice(stack, depth - 1, depth, NULL))
            goto failed;
        long long number = PyLong_AsLongLong(PyTuple_GetItem(top, 0)), over = PyLong_AsLongLong(PyTuple_GetItem(top, 1));
        PyObject *base = PyTuple_GetItem(top, 2);
        if (PyErr_Occurred())
            goto failed;
        if (number < 0 || number >= count) {
            PyErr_SetString(PyExc_ValueError, "there is no such object");
            goto failed;
        }
        int64_t begin = rows[3 * number], size = rows[3 * number + 1];
        int64_t end = number + 1 < count ? offsets[number + 1] : pack_end;
        if (base == Py_None || size > limit || end <= begin) {
            Py_INCREF(Py_None);
            delta = Py_None;
        } else if (end - begin > small) {
            delta = PyObject_CallFunction(read, "L", number);
        } else
            delta = inflated(fd, begin, end, size, inflate);
        if (!delta)
            goto failed;
        Py_INCREF(Py_None);
        windows = Py_None;
        if (over < 0 || delta == Py_None) {
            Py_INCREF(delta);
            data = delta;
        } else {
            char *from, *change;
            Py_ssize_t from_size, change_size;
            if (PyBytes_AsStringAndSize(base, &from, &from_size) || PyBytes_AsStringAndSize(delta, &change, &change_size))
                goto failed;
            found.used = 0;
            data = applied(from, (size_t)from_size, change, (size_t)change_size, before, after, &found);
            if (data) {
                Py_DECREF(windows);
                windows = PyBytes_FromStringAndSize((const char *)found.at, (Py_ssize_t)(found.used * sizeof(int64_t)));
                if (!windows)
                    goto failed;
            } else {
                if (!damaged())
                    goto failed;
                Py_INCREF(Py_None);
                data = Py_None;
            }
        }
        if (data != Py_None && PyBytes_Size(data) > limit) {
            Py_DECREF(data);
            Py_INCREF(Py_None);
            data = Py_None;
        }
        if (data != Py_None)
            room -= PyBytes_Size(data);
        PyObject *five = Py_BuildValue("LLOOO", number, over, data, windows, delta);
        if (!five || PyList_Append(out, five)) {
            Py_XDECREF(five);
            goto failed;
        }
        Py_DECREF(five);
        for (int64_t child = first[number], steps = 0; child >= 0 && child < count && steps <= count;
             child = following[child], steps++)
            if (!wanted || wanted[child]) {
                PyObject *entry = Py_BuildValue("LLO", (long long)child, number, data);
                if (!entry || PyList_Append(stack, entry)) {
                    Py_XDECREF(entry);
                    goto failed;
                }
                Py_DECREF(entry);
            }
        Py_CLEAR(top);
        Py_CLEAR(data);
        Py_CLEAR(delta);
        Py_CLEAR(windows);
    }
    goto done;
failed:
    Py_XDECREF(top);
    Py_XDECREF(data);
    Py_XDECREF(delta);
    Py_XDECREF(windows);
    Py_XDECREF(out);
    out = NULL;
done:
    PyMem_Free(found.at);
    PyBuffer_Release(&offsets_);
    PyBuffer_Release(&rows_);
    PyBuffer_Release(&first_);
    PyBuffer_Release(&next_);
    PyBuffer_Release(&wanted_);
    return out;
}

static PyObject *carried(PyObject *self, PyObject *args)
{
    Py_buffer delta, wanted;
    PyObject *answer = NULL;
    spans found = {NULL, 0, 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*", &delta, &wanted))
        return NULL;
    const unsigned char *p = delta.buf, *end = p + delta.len;
    const int64_t *span = wanted.buf;
    size_t count = (size_t)wanted.len / (2 * sizeof(int64_t));
    uint64_t source, size, at = 0;
    int touched = 0;
    if (size_at(&p, end, &source) || size_at(&p, end, &size))
        goto wrong;
    while (p < end) {
        unsigned op = *p++;
        uint64_t offset = 0, length = 0;
        if (!(op & 0x80)) {
            if (!op || (uint64_t)(end - p) < op)
                goto wrong;
            p += op;
            at += op;
            continue;
        }
        for (int i = 0; i < 7; i++)
            if (op & (1u << i)) {
                if (p >= end)
                    goto wrong;
                if (i < 4)
                    offset |= (uint64_t)*p++ << (8 * i);
                else
                    length |= (uint64_t)*p++ << (8 * (i - 4));
            }
        if (!length)
            length = 0x10000;
        for (size_t i = 0; i < count; i++) {
            int64_t from = span[2 * i], to = span[2 * i + 1];
            if ((uint64_t)from >= offset + length || (uint64_t)to <= offset)
                continue;
            int64_t start = from - (int64_t)offset + (int64_t)at, stop = to - (int64_t)offset + (int64_t)at;
            if ((uint64_t)from < offset || (uint64_t)to > offset + length || (!from && start)
                || (to == (int64_t)source && stop != (int64_t)size)) {
                touched = 1;
                goto told;
            }
            if (found.used + 2 > found.room) {
                size_t room = found.room ? found.room * 2 : 32;
                int64_t *grown = PyMem_Realloc(found.at, room * sizeof(int64_t));
                if (!grown) {
                    PyErr_NoMemory();
                    goto done;
                }
                found.at = grown;
                found.room = room;
            }
            found.at[found.used++] = (int64_t)i;
            found.at[found.used++] = start;
        }
        at += length;
    }
told:
    if (touched) {
        Py_INCREF(Py_None);
        answer = Py_None;
    } else
        answer = PyBytes_FromStringAndSize((const char *)found.at, (Py_ssize_t)(found.used * sizeof(int64_t)));
    goto done;
wrong:
    PyErr_SetString(PyExc_ValueError, "the delta is damaged");
done:
    PyMem_Free(found.at);
    PyBuffer_Release(&delta);
    PyBuffer_Release(&wanted);
    return answer;
}

static PyMethodDef methods[] = {
    {"carried", carried, METH_VARARGS, "carried(delta, spans) -> places or None"},
    {"rebuild", rebuild, METH_VARARGS, "rebuild(pack, stack, readers, before, after, limit, room, most) -> objects"},
    {"apply", apply, METH_VARARGS, "apply(base, delta, before, after) -> (result, windows)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_delta_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__delta_native(void)
{
    return PyModule_Create(&module);
}
