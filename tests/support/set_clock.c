/* Preloaded into a process, puts its wall clock ahead by the nanoseconds that a file of eight bytes says; below 0: behind.
 *
 * The file is mapped, so that whoever writes to it sets the clock of a process that runs. Clocks that nobody can set
 * stay as they are, as on a machine whose time is set.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static volatile const int64_t *ahead;

__attribute__((constructor)) static void map_the_file(void) {
  const char *path = getenv("SET_CLOCK");
  int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) ahead = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  if (ahead != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t moment = now->tv_sec * SECOND + now->tv_nsec + *ahead;
    now->tv_sec = moment / SECOND;
    now->tv_nsec = moment % SECOND;
  }
  return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec moment;
  if (clock_gettime(CLOCK_REALTIME, &moment) != 0) return -1;
  now->tv_sec = moment.tv_sec;
  now->tv_usec = moment.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec moment;
  clock_gettime(CLOCK_REALTIME, &moment);
  if (into != NULL) *into = moment.tv_sec;
  return moment.tv_sec;
}
