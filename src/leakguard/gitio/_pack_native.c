/* The tables of a pack, with the same results as their twins in `delta.py`; all numbers are native 64-bit integers.
 *
 * heads(block, start, offsets, hash) -> (kinds, rows)
 *   block: bytes of a pack from offset `start` on; offsets: native 64-bit integers, each an object that begins in it;
 *   kinds: a byte an object (git's type number); rows: three 64-bit integers an object, where its deflated data begins, how
 *   long it is once inflated, and its base: an offset, or minus the offset at which the base's id (`hash` bytes) stands.
 *
 * places(offsets, bases) -> numbers
 *   native 64-bit integers: the place of each base among the ascending offsets; -1 for a base of 0, -2 where it is not there.
 *
 * ordered(offsets) -> offsets, ascending.
 *
 * trees(offsets, rows, end) -> (first, following, weights)
 *   rows as `heads` tells, with the base's number; end: where the last object ends; 64-bit integers: each object's first
 *   delta and next sibling (-1: none), and the packed bytes of it and of all that builds on it.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static PyObject *heads(PyObject *self, PyObject *args)
{
    Py_buffer block, offsets;
    long long start;
    Py_ssize_t hash;
    PyObject *kinds = NULL, *rows = NULL, *answer = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*Ly*n", &block, &start, &offsets, &hash))
        return NULL;
    Py_ssize_t count = offsets.len / (Py_ssize_t)sizeof(int64_t);
    const int64_t *at = offsets.buf;
    const unsigned char *begin = block.buf, *end = begin + block.len;
    kinds = PyBytes_FromStringAndSize(NULL, count);
    rows = PyBytes_FromStringAndSize(NULL, count * 3 * (Py_ssize_t)sizeof(int64_t));
    if (!kinds || !rows)
        goto done;
    char *kind = PyBytes_AsString(kinds);
    char *row = PyBytes_AsString(rows);
    for (Py_ssize_t i = 0; i < count; i++) {
        int64_t from = at[i] - start, base = 0;
        if (from < 0 || from >= block.len)
            goto wrong;
        const unsigned char *p = begin + from;
        unsigned byte = *p++, shift = 4;
        uint64_t size = byte & 15;
        kind[i] = (char)((byte >> 4) & 7);
        while (byte & 0x80) {
            if (p >= end || shift > 57)
                goto wrong;
            byte = *p++;
            size |= (uint64_t)(byte & 0x7f) << shift;
            shift += 7;
        }
        if (kind[i] == 6) {
            uint64_t back = 0;
            int more = 0;
            do {
                if (p >= end || more++ > 9)
                    goto wrong;
                byte = *p++;
                back = (more > 1 ? (back + 1) << 7 : 0) | (byte & 0x7f);
            } while (byte & 0x80);
            base = at[i] - (int64_t)back;
        } else if (kind[i] == 7) {
            base = -(start + (p - begin));
            p += hash;
        }
        int64_t three[3] = {start + (p - begin), (int64_t)size, base};
        memcpy(row + (size_t)i * sizeof(three), three, sizeof(three));
    }
    answer = PyTuple_Pack(2, kinds, rows);
    goto done;
wrong:
    PyErr_SetString(PyExc_ValueError, "an object's header is damaged");
done:
    Py_XDECREF(kinds);
    Py_XDECREF(rows);
    PyBuffer_Release(&block);
    PyBuffer_Release(&offsets);
    return answer;
}

/* places(offsets, bases) -> numbers */
static PyObject *places(PyObject *self, PyObject *args)
{
    Py_buffer offsets, bases;
    PyObject *answer = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*", &offsets, &bases))
        return NULL;
    const int64_t *at = offsets.buf, *base = bases.buf;
    size_t count = (size_t)offsets.len / sizeof(int64_t), asked = (size_t)bases.len / sizeof(int64_t);
    answer = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(asked * sizeof(int64_t)));
    if (!answer)
        goto done;
    char *out = PyBytes_AsString(answer);
    for (size_t i = 0; i < asked; i++) {
        size_t low = 0, high = count;
        int64_t number = base[i] ? -2 : -1;
        while (base[i] && low < high) {
            size_t middle = low + (high - low) / 2;
            if (at[middle] < base[i])
                low = middle + 1;
            else
                high = middle;
        }
        if (base[i] && low < count && at[low] == base[i])
            number = (int64_t)low;
        memcpy(out + i * sizeof(number), &number, sizeof(number));
    }
done:
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&bases);
    return answer;
}

static int by_value(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;
    return one < other ? -1 : one > other;
}

/* ordered(offsets) -> offsets */
static PyObject *ordered(PyObject *self, PyObject *args)
{
    Py_buffer offsets;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*", &offsets))
        return NULL;
    PyObject *out = PyBytes_FromStringAndSize(offsets.buf, offsets.len);
    if (out)
        qsort(PyBytes_AsString(out), (size_t)offsets.len / sizeof(int64_t), sizeof(int64_t), by_value);
    PyBuffer_Release(&offsets);
    return out;
}

/* trees(offsets, rows, end) -> (first, following, weights) */
static PyObject *trees(PyObject *self, PyObject *args)
{
    Py_buffer offsets, rows;
    long long end;
    PyObject *parts[3] = {NULL, NULL, NULL}, *answer = NULL;
    int64_t *at[3];
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*L", &offsets, &rows, &end))
        return NULL;
    const int64_t *offset = offsets.buf, *row = rows.buf;
    int64_t count = offsets.len / (Py_ssize_t)sizeof(int64_t);
    if (rows.len < 3 * offsets.len) {
        PyErr_SetString(PyExc_ValueError, "there are three integers an object");
        goto done;
    }
    for (int i = 0; i < 3; i++) {
        parts[i] = PyBytes_FromStringAndSize(NULL, offsets.len);
        if (!parts[i])
            goto done;
        at[i] = (int64_t *)(void *)PyBytes_AsString(parts[i]);
    }
    for (int64_t i = 0; i < count; i++) {
        at[0][i] = at[1][i] = -1;
        at[2][i] = (i + 1 < count ? offset[i + 1] : end) - offset[i];
    }
    for (int64_t i = count - 1; i >= 0; i--) {
        int64_t base = row[3 * i + 2];
        if (base < 0 || base >= count)
            continue;
        at[1][i] = at[0][base];
        at[0][base] = i;
        if (base < i)
            at[2][base] += at[2][i];
    }
    answer = PyTuple_Pack(3, parts[0], parts[1], parts[2]);
done:
    for (int i = 0; i < 3; i++)
        Py_XDECREF(parts[i]);
    PyBuffer_Release(&offsets);
    PyBuffer_Release(&rows);
    return answer;
}

static PyMethodDef methods[] = {
    {"ordered", ordered, METH_VARARGS, "ordered(offsets) -> offsets"},
    {"trees", trees, METH_VARARGS, "trees(offsets, rows, end) -> (first, following, weights)"},
    {"places", places, METH_VARARGS, "places(offsets, bases) -> numbers"},
    {"heads", heads, METH_VARARGS, "heads(block, start, offsets, hash) -> (kinds, rows)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_pack_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__pack_native(void)
{
    return PyModule_Create(&module);
}
