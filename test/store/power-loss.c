/*
 * For LD_PRELOAD: what the disk would have after a power loss, and a death at a named step.
 *
 * Each time ocpp-cable.db or its log is synced, a copy of it goes to the directory $SYNCED: what a power loss at any later
 * moment is sure to leave. $KILL_AT is STEP:COUNT: the process kills itself when that step is reached for that time.
 *   wal-write   before the first write to the log since its last sync
 *   wal-half    before the second one
 *   wal-sync    when the log is written, before it is synced
 *   wal-synced  when the log is synced, before anything knows
 *   db-write    before a write to the database file, which only a checkpoint makes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long count;
static long writes;

static const char *file_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return NULL;
  path[length] = 0;
  const char *name = strrchr(path, '/');
  if (name == NULL) return NULL;
  if (strcmp(name + 1, "ocpp-cable.db") == 0) return "db";
  return strcmp(name + 1, "ocpp-cable.db-wal") == 0 ? "wal" : NULL;
}

static void at(const char *file, const char *step) {
  const char *kill_at = getenv("KILL_AT");
  char name[32];
  int length = snprintf(name, sizeof name, "%s-%s:", file, step);
  if (kill_at == NULL || strncmp(kill_at, name, length) != 0) return;
  if (++count == atol(kill_at + length)) kill(getpid(), SIGKILL);
}

static void keep(const char *path, const char *file) {
  const char *directory = getenv("SYNCED");
  if (directory == NULL) return;
  char name[2048], made[4096], block[65536];
  snprintf(name, sizeof name, "%s/%s", directory, file);
  snprintf(made, sizeof made, "%s.new", name);
  int from = open(path, O_RDONLY), to = open(made, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ssize_t (*put)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
  for (ssize_t length; (length = read(from, block, sizeof block)) > 0;)
    if (put(to, block, length) != length) abort();
  close(from);
  close(to);
  rename(made, name);
}

static void before_write(int fd) {
  char path[4096];
  const char *file = file_of(fd, path, sizeof path);
  if (file == NULL) return;
  if (strcmp(file, "db") == 0) return at(file, "write");
  writes++;
  if (writes == 1) at(file, "write");
  if (writes == 2) at(file, "half");
}

#define PWRITE(name, offset_type)                                                             \
  ssize_t name(int fd, const void *bytes, size_t length, offset_type offset) {                \
    before_write(fd);                                                                         \
    ssize_t (*put)(int, const void *, size_t, offset_type) = dlsym(RTLD_NEXT, #name);         \
    return put(fd, bytes, length, offset);                                                    \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

static int sync_with(const char *function, int fd) {
  char path[4096];
  const char *file = file_of(fd, path, sizeof path);
  if (file != NULL) at(file, "sync");
  int result = ((int (*)(int))dlsym(RTLD_NEXT, function))(fd);
  if (file == NULL || result != 0) return result;
  keep(path, file);
  if (strcmp(file, "wal") == 0) writes = 0;
  at(file, "synced");
  return result;
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }
