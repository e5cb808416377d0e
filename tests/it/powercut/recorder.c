/* Records every change that a process makes to the files of one folder, in order, and fails calls on request.
 *
 * DISK_FOLDER: the folder. DISK_LOG: the log, appended to. DISK_FAULTS: optional; a file of four native uint32_t, mapped:
 * per mille of syncs that fail, their errno, per mille of writes that fail, their errno.
 *
 * A record is one writev to an O_APPEND descriptor, so that the records of all threads and processes have one order. It
 * is written after the real call succeeded. What cannot be replayed (X) is recorded too, for the replayer to refuse. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct record {
    char op;
    char pad[7];
    uint64_t offset;
    uint64_t length;
    char path[232];
};

static char folder[PATH_MAX];
static size_t folder_length;
static int log_fd = -1;
static volatile uint32_t *faults;
static __thread unsigned seed;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static int real_open(const char *path, int flags, int mode) {
    REAL(int, open64, const char *, int, ...);
    return real(path, flags, mode);
}

__attribute__((constructor)) static void start(void) {
    const char *where = getenv("DISK_FOLDER"), *log = getenv("DISK_LOG"), *control = getenv("DISK_FAULTS");
    if (!where || !log || !realpath(where, folder)) return;
    folder_length = strlen(folder);
    log_fd = real_open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int fd = control ? real_open(control, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fd < 0) return;
    void *page = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) faults = page;
    close(fd);
}

/* The name within the folder; the folder itself is "". NULL: not ours. */
static const char *within(const char *path) {
    if (log_fd < 0 || strncmp(path, folder, folder_length)) return NULL;
    if (path[folder_length] == 0) return "";
    return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static const char *name_of(int fd, char *space) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, space, PATH_MAX - 1);
    if (length < 0) return NULL;
    space[length] = 0;
    return within(space);
}

static void record(char op, const char *name, uint64_t offset, const void *data, uint64_t length) {
    int saved = errno;
    struct record head = {.op = op, .offset = offset, .length = length};
    strncpy(head.path, name, sizeof head.path - 1);
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, data ? length : 0}};
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (real(log_fd, parts, 2) != (ssize_t)(sizeof head + parts[1].iov_len)) abort();
    errno = saved;
}

static int fails(int kind) {
    if (!faults || !faults[kind]) return 0;
    if (!seed) seed = (unsigned)(uintptr_t)&seed ^ (unsigned)getpid();
    if ((uint32_t)(rand_r(&seed) % 1000) >= faults[kind]) return 0;
    errno = (int)faults[kind + 1];
    return 1;
}

static ssize_t write_at(int fd, const void *data, size_t size, off64_t offset) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    char space[PATH_MAX];
    const char *name = name_of(fd, space);
    if (name && fails(2)) return -1;
    ssize_t written = real(fd, data, size, offset);
    if (name && written > 0) record('W', name, (uint64_t)offset, data, (uint64_t)written);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return write_at(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return write_at(fd, data, size, offset); }

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    char space[PATH_MAX];
    const char *name = log_fd < 0 || fd == log_fd ? NULL : name_of(fd, space);
    ssize_t written = real(fd, data, size);
    if (name && written > 0) {
        off64_t end = lseek64(fd, 0, SEEK_CUR);
        if (end >= 0) record('W', name, (uint64_t)(end - written), data, (uint64_t)written);
    }
    return written;
}

static int cut(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    char space[PATH_MAX];
    const char *name = name_of(fd, space);
    int done = real(fd, length);
    if (name && !done) record('T', name, (uint64_t)length, NULL, 0);
    return done;
}

int ftruncate(int fd, off_t length) { return cut(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut(fd, length); }

static int synced(int fd, int (*real)(int)) {
    char space[PATH_MAX];
    const char *name = name_of(fd, space);
    int done = name && fails(0) ? -1 : real(fd);
    if (name) record(done ? 'F' : 'S', name, 0, NULL, 0);
    return done;
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return synced(fd, real);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return synced(fd, real);
}

/* A path as given, made absolute by its folder: the file itself may not be there. */
static const char *name_at(int at, const char *path, char *space) {
    if (log_fd < 0 || (path[0] != '/' && at != AT_FDCWD)) return NULL;
    char whole[PATH_MAX], resolved[PATH_MAX];
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else {
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here) || strlen(here) + strlen(path) + 2 > sizeof whole) return NULL;
        strcpy(whole, here), strcat(whole, "/"), strcat(whole, path);
    }
    char *last = strrchr(whole, '/');
    *last = 0;
    if (!realpath(whole, resolved) || strlen(resolved) + strlen(last + 1) + 2 > PATH_MAX) return NULL;
    strcpy(space, resolved), strcat(space, "/"), strcat(space, last + 1);
    return within(space);
}

static int opened(int at, const char *path, int flags, int mode) {
    REAL(int, openat64, int, const char *, int, ...);
    char space[PATH_MAX];
    const char *name = flags & (O_CREAT | O_TRUNC) ? name_at(at, path, space) : NULL;
    struct stat known;
    int is_new = name && fstatat(at, path, &known, 0);
    int fd = real(at, path, flags, mode);
    if (name && fd >= 0) {
        if (is_new) record('C', name, 0, NULL, 0);
        else if (flags & O_TRUNC) record('T', name, 0, NULL, 0);
    }
    return fd;
}

#define MODE(mode) \
    int mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); }

int open(const char *path, int flags, ...) { MODE(mode) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(mode) return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(mode) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(mode) return opened(at, path, flags, mode); }

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    char space[PATH_MAX];
    const char *name = name_at(AT_FDCWD, path, space);
    int done = real(path);
    if (name && !done) record('U', name, 0, NULL, 0);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    char space[PATH_MAX], other[PATH_MAX];
    const char *old = name_at(AT_FDCWD, from, space), *new = name_at(AT_FDCWD, to, other);
    int done = real(from, to);
    if (!done && old && new) record('R', old, 0, new, strlen(new));
    return done;
}

/* Calls that the replayer does not know. */
#define REFUSED(type, name, fd, arguments, ...) \
    type name(__VA_ARGS__) { \
        REAL(type, name, __VA_ARGS__); \
        char space[PATH_MAX]; \
        const char *ours = log_fd < 0 ? NULL : name_of(fd, space); \
        if (ours) record('X', ours, 0, NULL, 0); \
        return real arguments; \
    }

REFUSED(ssize_t, writev, fd, (fd, parts, count), int fd, const struct iovec *parts, int count)
REFUSED(ssize_t, pwritev, fd, (fd, parts, count, offset), int fd, const struct iovec *parts, int count, off_t offset)
REFUSED(ssize_t, pwritev64, fd, (fd, parts, count, offset), int fd, const struct iovec *parts, int count, off64_t offset)
REFUSED(int, fallocate, fd, (fd, mode, from, length), int fd, int mode, off_t from, off_t length)
REFUSED(int, fallocate64, fd, (fd, mode, from, length), int fd, int mode, off64_t from, off64_t length)
REFUSED(int, posix_fallocate, fd, (fd, from, length), int fd, off_t from, off_t length)
REFUSED(int, sync_file_range, fd, (fd, from, length, flags), int fd, off64_t from, off64_t length, unsigned flags)
