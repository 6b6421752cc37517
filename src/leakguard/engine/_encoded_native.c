/* Inner loops of `encoded.py`, which is their twin in Python: where text may stand encoded, and escapes taken out.
 *
 * runs(data, windows, grow, cut) -> rows
 *   windows: native 64-bit integers, start and end in turn, ascending and apart. `grow`: a run that reaches into a window counts
 *   whole, from the first of its lines on; else what stands outside of the windows is not looked at. `cut`: the data begins within a longer one.
 *   rows: kind, start and end in turn, of each kind ascending: BASE64 and HEX where the first bytes decode to text (or to what
 *   is packed), the others where an escape stands for a printable character, with what stands round it.
 *
 * unescape(data, rows) -> (text, edges)
 *   text: what stands in rows of PERCENT to QUOTED, each followed by a newline; edges: begin and end of each in `text`.
 *
 * strings(data) -> text
 *   As long as the data: a newline for each byte that belongs to no run of six printable characters, in ASCII or UTF-16 with the
 *   small end first. A first byte that counts the others of its run is no character of it.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { BASE64 = 1, HEX, PERCENT, BACKSLASH, HTML, QUOTED, UTF16LE, UTF16BE, KINDS };

#define LEAST 12      /* characters of base64 that are worth to be looked at */
#define LEAST_HEX 24  /* digits */
#define SIGNS 16       /* signs in a run behind which it may begin as well */
#define LEAST_WIDE 6  /* characters of UTF-16 */
#define FULL 56       /* characters of a line that may go on in the next */
#define ROUND 512     /* bytes on each side of an escape that are taken with it */

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

static int row(numbers *n, int kind, int64_t start, int64_t end)
{
    return push(n, kind) || push(n, start) || push(n, end) ? -1 : 0;
}

/* 6 bits of base64, both alphabets; NONE for other characters */
#define NONE 0xff
static uint8_t six[256], four[256];

static void tables(void)
{
    const char *all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    memset(six, NONE, sizeof(six));
    memset(four, NONE, sizeof(four));
    for (int i = 0; i < 64; i++)
        six[(uint8_t)all[i]] = (uint8_t)i;
    six['-'] = 62;
    six['_'] = 63;
    for (int i = 0; i < 10; i++)
        four['0' + i] = (uint8_t)i;
    for (int i = 0; i < 6; i++)
        four['a' + i] = four['A' + i] = (uint8_t)(10 + i);
}

static int printable(uint8_t c)
{
    return c > 0x20 && c < 0x7f;
}

static int shown(uint8_t c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n' || c == '\r';
}

/* Whether these first bytes begin a store of keys: Java's, or PKCS #12. */
static int is_keystore(const uint8_t *p)
{
    return !memcmp(p, "\xfe\xed\xfe\xed\0\0\0", 7) || !memcmp(p, "\xce\xce\xce\xce\0\0\0", 7) ||
           (p[0] == '0' && p[1] == 0x82 && !memcmp(p + 4, "\x02\x01\x03\x30", 4));
}

/* Whether these first bytes begin text in ASCII, UTF-8 or UTF-16, what gzip or zlib packed, or a store of keys. */
static int begins(const uint8_t *p, int size)
{
    if (is_keystore(p))
        return 1;
    if (!shown(p[0])) {
        if (p[0] == 0x1f)
            return p[1] == 0x8b && p[2] == 8;
        if (p[0] < 0xc2 && p[0])
            return 0;
    } else if (p[0] == 0x78 && (p[1] == 0x01 || p[1] == 0x5e || p[1] == 0x9c || p[1] == 0xda) && !(p[1] == 0x5e && shown(p[2]))) {
        return 1;
    }
    int at = 0;
    while (at < size) {
        uint8_t c = p[at++];
        if (shown(c))
            continue;
        int more = c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
        if (!more)
            break;
        while (more && at < size && (p[at] & 0xc0) == 0x80)
            at++, more--;
        if (more && at < size)
            break;
        if (at >= size)
            return 1;
    }
    if (at == size && shown(p[size - 1]))
        return 1;
    if ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff))
        p += 2, size -= 2;
    int low = 1, high = 1;
    for (int i = 0; i + 1 < size; i += 2) {
        low &= shown(p[i]) && !p[i + 1];
        high &= !p[i] && shown(p[i + 1]);
    }
    return low || high;
}

static int is_base64(const uint8_t *p, const uint8_t *end)
{
    uint8_t out[9];
    if (end - p < LEAST)
        return 0;
    /* most runs are words: their second byte is no text's */
    uint8_t first = (uint8_t)(six[p[0]] << 2 | six[p[1]] >> 4), second = (uint8_t)(six[p[1]] << 4 | six[p[2]] >> 2);
    if ((first < 0xc2 && first != 0x1f && first && !shown(first)) || (shown(first) && second < 0xc2 && second && !shown(second) && first != 0x78 && !(first == '0' && second == 0x82)))
        return 0;
    for (int i = 0; i < 3; i++, p += 4) {
        uint8_t a = six[p[0]], b = six[p[1]], c = six[p[2]], d = six[p[3]];
        if ((a | b | c | d) & 0x80)
            return 0;
        out[3 * i] = (uint8_t)(a << 2 | b >> 4);
        out[3 * i + 1] = (uint8_t)(b << 4 | c >> 2);
        out[3 * i + 2] = (uint8_t)(c << 6 | d);
    }
    return begins(out, 9);
}

static int is_hex(const uint8_t *p, const uint8_t *end)
{
    uint8_t out[LEAST_HEX / 2];
    if (end - p < LEAST_HEX)
        return 0;
    for (int i = 0; i < LEAST_HEX / 2; i++, p += 2) {
        uint8_t a = four[p[0]], b = four[p[1]];
        if ((a | b) & 0x80)
            return 0;
        out[i] = (uint8_t)(a << 4 | b);
    }
    return begins(out, LEAST_HEX / 2);
}

static int kind_at(const uint8_t *data, int64_t at, int64_t end)
{
    return is_hex(data + at, data + end) ? HEX : is_base64(data + at, data + end) ? BASE64 : 0;
}

#ifdef __SSE2__
#include <emmintrin.h>

/* A bit for each of 16 characters of base64. */
static inline __attribute__((always_inline)) uint64_t in_run(const uint8_t *p)
{
    __m128i c = _mm_loadu_si128((const __m128i *)p), zero = _mm_setzero_si128();
    __m128i letter = _mm_sub_epi8(_mm_or_si128(c, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(c, _mm_set1_epi8('/'));
    __m128i is = _mm_cmpeq_epi8(_mm_subs_epu8(letter, _mm_set1_epi8(25)), zero);
    is = _mm_or_si128(is, _mm_cmpeq_epi8(_mm_subs_epu8(digit, _mm_set1_epi8(10)), zero));
    is = _mm_or_si128(is, _mm_cmpeq_epi8(c, _mm_set1_epi8('+')));
    is = _mm_or_si128(is, _mm_cmpeq_epi8(c, _mm_set1_epi8('-')));
    is = _mm_or_si128(is, _mm_cmpeq_epi8(c, _mm_set1_epi8('_')));
    return (uint64_t)(uint16_t)_mm_movemask_epi8(is);
}
#endif

/* Return where `LEAST` characters of base64 in a row begin, from `at` on, where no run is under way; `size` where none do. */
static int64_t next_run(const uint8_t *data, int64_t at, int64_t size)
{
#ifdef __SSE2__
    while (at + 64 <= size) {
        uint64_t is = in_run(data + at) | in_run(data + at + 16) << 16 | in_run(data + at + 32) << 32 | in_run(data + at + 48) << 48;
        is &= is >> 1;
        is &= is >> 2;
        is &= is >> 4;
        is &= is >> (LEAST - 8);
        if (is)
            return at + __builtin_ctzll(is);
        at += 64 - LEAST + 1;
    }
#endif
    while (at + LEAST <= size) {
        int64_t back = at + LEAST;
        while (back > at && six[data[back - 1]] != NONE)
            back--;
        if (back == at)
            return at;
        at = back;
    }
    return size;
}

/* Base64 and hex. */
static int letters(numbers *rows, const uint8_t *data, int64_t at, int64_t end, int64_t size, int cut, int64_t *done)
{
    int64_t limit = end + LEAST - 1 < size ? end + LEAST - 1 : size;
    while (limit - at >= LEAST && (at = next_run(data, at, limit)) < end && limit - at >= LEAST) {
        int64_t stop = at, from = at, signs_at[SIGNS];
        int kind = 0, found = 0;
        for (uint8_t c; stop < size && (c = six[data[stop]]) != NONE; stop++) {
            if (c >= 62 && found < SIGNS)
                signs_at[found++] = stop;
        }
        if (at && data[at - 1] == '\\' && (data[at] == 'n' || data[at] == 'r' || data[at] == 't'))
            kind = kind_at(data, from = at + 1, stop);
        if (!kind && data[at] == '0' && (data[at + 1] | 0x20) == 'x' && is_hex(data + at + 2, data + stop)) {
            kind = HEX;
            from = at + 2;
        }
        for (int shift = 0; !kind && shift < (cut && !at ? 4 : 1); shift++)
            kind = kind_at(data, from = at + shift, stop);
        for (int i = 0; !kind && i < found; i++)
            kind = kind_at(data, from = signs_at[i] + 1, stop);
        if (kind && row(rows, kind, from, stop))
            return -1;
        at = *done = stop;
    }
    return 0;
}

static int hex2(const uint8_t *p)
{
    uint8_t a = four[p[0]], b = four[p[1]];
    return (a | b) & 0x80 ? -1 : a << 4 | b;
}

static const struct {
    const char *name;
    uint8_t is;
} names[] = {
    {"AMP", '&'}, {"DiacriticalGrave", '`'}, {"GT", '>'}, {"Hat", '^'}, {"LT", '<'}, {"NewLine", '\n'}, {"QUOT", '"'},
    {"Tab", '\t'}, {"UnderBar", '_'}, {"VerticalLine", '|'}, {"amp", '&'}, {"apos", '\''}, {"ast", '*'}, {"bsol", '\\'},
    {"colon", ':'}, {"comma", ','}, {"commat", '@'}, {"dollar", '$'}, {"equals", '='}, {"excl", '!'}, {"grave", '`'},
    {"gt", '>'}, {"lbrace", '{'}, {"lbrack", '['}, {"lcub", '{'}, {"lowbar", '_'}, {"lpar", '('}, {"lsqb", '['},
    {"lt", '<'}, {"midast", '*'}, {"num", '#'}, {"percnt", '%'}, {"period", '.'}, {"plus", '+'}, {"quest", '?'},
    {"quot", '"'}, {"rbrace", '}'}, {"rbrack", ']'}, {"rcub", '}'}, {"rpar", ')'}, {"rsqb", ']'}, {"semi", ';'},
    {"sol", '/'}, {"verbar", '|'}, {"vert", '|'},
};

/* Each reads one escape at `p`: bytes that it takes and in `*is` the character it stands for; 0: none stands there. */
static int percent(const uint8_t *p, const uint8_t *end, int64_t *is)
{
    if (end - p < 3 || (*is = hex2(p + 1)) < 0)
        return 0;
    return 3;
}

static int digits(const uint8_t *p, const uint8_t *end, int base, int most, int64_t *is)
{
    int n = 0;
    *is = 0;
    while (n < most && p + n < end && four[p[n]] < base)
        *is = *is * base + four[p[n++]];
    return n;
}

static int backslash(const uint8_t *p, const uint8_t *end, int64_t *is)
{
    if (end - p < 2)
        return 0;
    int n;
    switch (p[1]) {
    case 'x':
        return digits(p + 2, end, 16, 2, is) == 2 ? 4 : 0;
    case 'u':
        if (digits(p + 2, end, 16, 4, is) == 4)
            return *is >= 0xd800 && *is < 0xe000 ? 0 : 6;
        if (end - p < 5 || p[2] != '{')
            return 0;
        n = digits(p + 3, end, 16, 6, is);
        if (!n || p + 3 + n >= end || p[3 + n] != '}' || *is > 0x10ffff || (*is >= 0xd800 && *is < 0xe000))
            return 0;
        return 4 + n;
    case 'n':
        *is = '\n';
        return 2;
    case 't':
        *is = '\t';
        return 2;
    case 'r':
        *is = '\r';
        return 2;
    case '\\':
    case '"':
    case '\'':
    case '/':
    case '`':
        *is = p[1];
        return 2;
    default:
        n = digits(p + 1, end, 8, 3, is);
        return n == 3 && *is < 0x100 ? 4 : 0;
    }
}

static int html(const uint8_t *p, const uint8_t *end, int64_t *is)
{
    if (end - p < 4)
        return 0;
    if (p[1] == '#') {
        int hex = (p[2] | 0x20) == 'x', n = digits(p + 2 + hex, end, hex ? 16 : 10, 7, is);
        const uint8_t *q = p + 2 + hex + n;
        if (!n || q >= end || *q != ';' || *is > 0x10ffff || !*is || (*is >= 0xd800 && *is < 0xe000))
            return 0;
        return (int)(q + 1 - p);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (names[i].name[0] != p[1])
            continue;
        size_t n = strlen(names[i].name);
        if ((size_t)(end - p) >= n + 2 && !memcmp(p + 1, names[i].name, n) && p[n + 1] == ';') {
            *is = names[i].is;
            return (int)n + 2;
        }
    }
    return 0;
}

/* -1 for what joins lines */
static int quoted(const uint8_t *p, const uint8_t *end, int64_t *is)
{
    if (end - p < 2)
        return 0;
    if (p[1] == '\n' || (p[1] == '\r' && end - p > 2 && p[2] == '\n')) {
        *is = -1;
        return p[1] == '\n' ? 2 : 3;
    }
    if (end - p < 3 || (*is = hex2(p + 1)) < 0)
        return 0;
    return 3;
}

typedef int reader(const uint8_t *, const uint8_t *, int64_t *);
static reader *const readers[KINDS] = {NULL, NULL, NULL, percent, backslash, html, quoted, NULL, NULL};
static const char signs[KINDS] = {0, 0, 0, '%', '\\', '&', '=', 0, 0};

/* Whether an escape is worth to be looked round: it stands for a printable character, or is one that mails are full of. */
static int telling(int kind, const uint8_t *data, int64_t at, int64_t first, int taken, int64_t is)
{
    if (kind == BACKSLASH && taken == 2)
        return 0;
    if (kind != QUOTED)
        return is > 0x20 && is < 0x7f;
    if (is == '=')
        return data[at + 1] == '3' && data[at + 2] == 'D';
    if (is != -1 || at <= first || !printable(data[at - 1]))
        return 0;
    /* lines of mails are joined where they are full */
    int64_t line = at;
    while (line > first && at - line <= 80 && data[line - 1] != '\n')
        line--;
    return at - line >= 69 && at - line <= 75;
}

static int escapes(numbers *rows, int kind, const uint8_t *data, int64_t begin, int64_t end)
{
    int64_t low = -1, high = -1, is = 0;
    const uint8_t *p = data + begin, *stop = data + end;
    while (p < stop && (p = memchr(p, signs[kind], (size_t)(stop - p)))) {
        if (kind == QUOTED && stop - p > 1 && p[1] != '3' && p[1] != '\n' && p[1] != '\r') {
            /* most equals signs assign */
            p++;
            continue;
        }
        int taken = readers[kind](p, stop, &is);
        if (!taken || !telling(kind, data, p - data, begin, taken, is)) {
            /* the sign that a backslash escapes begins nothing */
            p += kind == BACKSLASH && taken == 2 ? 2 : 1;
            continue;
        }
        int64_t at = p - data, from = at - ROUND < begin ? begin : at - ROUND, to = at + taken + ROUND > end ? end : at + taken + ROUND;
        if (kind != QUOTED) {
            int64_t line = at;
            while (line > from && data[line - 1] != '\n')
                line--;
            from = line;
            const uint8_t *newline = memchr(p + taken, '\n', (size_t)(data + to - p - taken));
            to = newline ? newline - data : to;
        }
        if (low >= 0 && from <= high) {
            high = to > high ? to : high;
        } else {
            if (low >= 0 && row(rows, kind, low, high))
                return -1;
            low = from;
            high = to;
        }
        p += taken;
    }
    return low >= 0 ? row(rows, kind, low, high) : 0;
}

/* Runs in which every second byte is NUL. */
static int wide(numbers *rows, const uint8_t *data, int64_t begin, int64_t end)
{
    int64_t at = begin;
    const uint8_t *nul;
    while (at < end && (nul = memchr(data + at, 0, (size_t)(end - at)))) {
        int64_t from = nul - data, to = from;
        int led = from > begin && shown(data[from - 1]);
        while (to + 1 < end && !data[to] && shown(data[to + 1]))
            to += 2;
        /* now NUL, character, ... from `from` to `to`, with a character before it if `led`; a last NUL may follow */
        int closed = to < end && !data[to];
        int64_t low = from - 1, ends = closed ? to + 1 : to - 1;
        int sign = led && six[data[from - 1]] >= 62, blank = led && data[from - 1] == ' ';
        /* without NULs at either end a text that seems to begin with a blank begins behind it */
        int big = !led || (!closed && to > from && (blank || (sign && six[data[to - 1]] < 62)));
        if (big)
            low = from, ends = to;
        if (ends - low >= 2 * LEAST_WIDE && row(rows, big ? UTF16BE : UTF16LE, low, ends))
            return -1;
        at = to > from ? to : from + 1;
        if (closed && to > from)
            at = to + 1;
    }
    return 0;
}

/* Return where the run at `at` begins, of one over lines the first; not before `least`. */
static int64_t first_line(const uint8_t *data, int64_t at, int64_t least, int64_t size)
{
    int64_t from = at, stop = at;
    while (from > least && six[data[from - 1]] != NONE)
        from--;
    while (stop < size && stop - from < FULL && six[data[stop]] != NONE)
        stop++;
    while (stop - from >= FULL) {
        int64_t line = from;
        while (line > least && (data[line - 1] == ' ' || data[line - 1] == '\t'))
            line--;
        if (line > least && data[line - 1] == '\n')
            line--;
        else if (line > least + 1 && data[line - 1] == 'n' && data[line - 2] == '\\')
            line -= 2;
        else
            break;
        if (line > least && data[line - 1] == '\r')
            line--;
        stop = line;
        while (line > least && six[data[line - 1]] != NONE)
            line--;
        if (stop - line < FULL)
            break;
        from = line;
    }
    return from;
}

static int windows_of(Py_buffer *windows, int64_t size)
{
    const int64_t *window = windows->buf;
    size_t count = (size_t)windows->len / sizeof(int64_t);
    int64_t at = 0;
    for (size_t i = 0; i < count; at = window[i], i++) {
        if (window[i] < at || window[i] > size) {
            PyErr_SetString(PyExc_ValueError, "a window stands outside the data");
            return -1;
        }
    }
    return 0;
}

static PyObject *runs(PyObject *self, PyObject *args)
{
    Py_buffer data, windows;
    int grow, cut;
    numbers rows = {NULL, 0, 0};
    PyObject *answer = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*pp", &data, &windows, &grow, &cut))
        return NULL;
    const uint8_t *bytes = data.buf;
    const int64_t *window = windows.buf;
    size_t count = (size_t)windows.len / sizeof(int64_t) / 2;
    int64_t done = 0;
    if (windows_of(&windows, data.len))
        goto finished;
    for (size_t i = 0; i < count; i++) {
        int64_t at = window[2 * i], end = window[2 * i + 1];
        if (grow)
            at = first_line(bytes, at > done ? at : done, done, data.len);
        if (letters(&rows, bytes, at, end, grow ? data.len : end, cut, &done))
            goto memory;
    }
    for (int kind = PERCENT; kind <= UTF16LE; kind++) {
        for (size_t i = 0; i < count; i++) {
            int64_t at = window[2 * i], end = window[2 * i + 1];
            if (grow) {
                at = at < ROUND ? 0 : at - ROUND;
                /* windows that meet are one: an escape between them is read with both */
                while (i + 1 < count && window[2 * i + 2] - ROUND <= end + ROUND)
                    end = window[2 * ++i + 1];
                end = end + ROUND < data.len ? end + ROUND : data.len;
            }
            if (kind == UTF16LE ? wide(&rows, bytes, at, end) : escapes(&rows, kind, bytes, at, end))
                goto memory;
        }
    }
    answer = PyBytes_FromStringAndSize((const char *)rows.at, (Py_ssize_t)(rows.used * sizeof(int64_t)));
    goto finished;
memory:
    PyErr_NoMemory();
finished:
    PyMem_Free(rows.at);
    PyBuffer_Release(&data);
    PyBuffer_Release(&windows);
    return answer;
}

static size_t put(uint8_t *out, int64_t is, int kind, int taken)
{
    /* what stands for a byte is that byte, what stands for a character is written in UTF-8 */
    int byte = kind == PERCENT || kind == QUOTED || (kind == BACKSLASH && taken == 4);
    if (is < 0)
        return 0;
    if (is < 0x80 || byte) {
        out[0] = (uint8_t)is;
        return 1;
    }
    if (is < 0x800) {
        out[0] = (uint8_t)(0xc0 | is >> 6);
        out[1] = (uint8_t)(0x80 | (is & 0x3f));
        return 2;
    }
    if (is < 0x10000) {
        out[0] = (uint8_t)(0xe0 | is >> 12);
        out[1] = (uint8_t)(0x80 | (is >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (is & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | is >> 18);
    out[1] = (uint8_t)(0x80 | (is >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (is >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (is & 0x3f));
    return 4;
}

static PyObject *unescape(PyObject *self, PyObject *args)
{
    Py_buffer data, rows;
    uint8_t *out = NULL;
    numbers edges = {NULL, 0, 0};
    PyObject *text = NULL, *edges_out = NULL, *answer = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*", &data, &rows))
        return NULL;
    const uint8_t *bytes = data.buf;
    const int64_t *each = rows.buf;
    size_t count = (size_t)rows.len / sizeof(int64_t) / 3, room = 1, used = 0;
    for (size_t i = 0; i < count; i++) {
        const int64_t *r = each + 3 * i;
        if (r[0] < PERCENT || r[0] > QUOTED || r[1] < 0 || r[1] > r[2] || r[2] > data.len) {
            PyErr_SetString(PyExc_ValueError, "a row stands outside the data");
            goto finished;
        }
        room += (size_t)(r[2] - r[1]) + 1;
    }
    out = PyMem_Malloc(room);
    if (!out)
        goto memory;
    for (size_t i = 0; i < count; i++) {
        int kind = (int)each[3 * i];
        const uint8_t *p = bytes + each[3 * i + 1], *end = bytes + each[3 * i + 2];
        if (push(&edges, (int64_t)used))
            goto memory;
        while (p < end) {
            const uint8_t *sign = memchr(p, signs[kind], (size_t)(end - p));
            if (!sign)
                sign = end;
            memcpy(out + used, p, (size_t)(sign - p));
            used += (size_t)(sign - p);
            p = sign;
            if (p < end) {
                int64_t is = 0;
                int taken = readers[kind](p, end, &is);
                /* no escape is shorter than what it stands for */
                if (taken)
                    used += put(out + used, is, kind, taken);
                else
                    out[used++] = *p;
                p += taken ? taken : 1;
            }
        }
        if (push(&edges, (int64_t)used))
            goto memory;
        out[used++] = '\n';
    }
    text = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)used);
    edges_out = PyBytes_FromStringAndSize((const char *)edges.at, (Py_ssize_t)(edges.used * sizeof(int64_t)));
    if (text && edges_out)
        answer = PyTuple_Pack(2, text, edges_out);
    goto finished;
memory:
    PyErr_NoMemory();
finished:
    Py_XDECREF(text);
    Py_XDECREF(edges_out);
    PyMem_Free(out);
    PyMem_Free(edges.at);
    PyBuffer_Release(&data);
    PyBuffer_Release(&rows);
    return answer;
}

static int in_string(uint8_t c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t';
}

static PyObject *strings(PyObject *self, PyObject *args)
{
    Py_buffer data;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*", &data))
        return NULL;
    const uint8_t *p = data.buf;
    Py_ssize_t size = data.len, at = 0;
    uint8_t *out = PyMem_Malloc((size_t)size + 1);
    PyObject *answer = NULL;
    if (!out) {
        PyErr_NoMemory();
        goto finished;
    }
    memset(out, '\n', (size_t)size);
    while (at < size) {
        Py_ssize_t stop = at;
        while (stop < size && in_string(p[stop]))
            stop++;
        if (stop == at) {
            at++;
            continue;
        }
        if (stop - at >= LEAST_WIDE) {
            int counts = p[at] == ((stop - at - 1) & 0xff);
            memcpy(out + at + counts, p + at + counts, (size_t)(stop - at - counts));
            at = stop;
            continue;
        }
        Py_ssize_t from = stop - 1, end = from;
        while (end + 1 < size && in_string(p[end]) && !p[end + 1])
            end += 2;
        if (end - from >= 2 * LEAST_WIDE) {
            memcpy(out + from, p + from, (size_t)(end - from));
            stop = end;
        }
        at = stop;
    }
    answer = PyBytes_FromStringAndSize((const char *)out, size);
finished:
    PyMem_Free(out);
    PyBuffer_Release(&data);
    return answer;
}

static PyMethodDef methods[] = {
    {"runs", runs, METH_VARARGS, "runs(data, windows, grow, cut) -> rows"},
    {"unescape", unescape, METH_VARARGS, "unescape(data, rows) -> (text, edges)"},
    {"strings", strings, METH_VARARGS, "strings(data) -> text"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_encoded_native", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__encoded_native(void)
{
    tables();
    return PyModule_Create(&module);
}
