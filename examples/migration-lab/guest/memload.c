/*
 * memload FILL_MB DIRTY_MB RATE: make the guest's memory worth migrating.
 *
 * Fills FILL_MB with random bytes that are never touched again, and DIRTY_MB with
 * random bytes of which it then rewrites one word a page, page after page, at RATE
 * MB/s (so RATE counts whole dirtied pages). Returns when the memory is filled; the
 * dirtier goes on in the background. MB means 2^20 bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define MB ((size_t)1 << 20)

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t *random_memory(size_t bytes)
{
    uint64_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("memload: mmap");
        exit(1);
    }
    for (size_t i = 0; i < bytes / sizeof *memory; i++)
        memory[i] = next_random();
    return memory;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void dirty(uint64_t *memory, size_t pages, double pages_per_second)
{
    const struct timespec tick = {0, 10 * 1000 * 1000};
    double last = seconds(), due = 0;
    size_t page = 0;

    for (;;) {
        double now;

        nanosleep(&tick, NULL);
        now = seconds();
        /* Time lost while the VM stood still is not made up for in a burst. */
        due += (now - last > 0.1 ? 0.1 : now - last) * pages_per_second;
        last = now;
        for (; due >= 1; due--) {
            memory[page * (PAGE / sizeof *memory)] = next_random();
            page = (page + 1) % pages;
        }
    }
}

int main(int argc, char **argv)
{
    size_t fill_mb, dirty_mb;
    double rate;
    uint64_t *memory = NULL;

    if (argc != 4) {
        fprintf(stderr, "usage: memload FILL_MB DIRTY_MB MB_PER_SECOND\n");
        return 2;
    }
    fill_mb = strtoul(argv[1], NULL, 10);
    dirty_mb = strtoul(argv[2], NULL, 10);
    rate = strtod(argv[3], NULL);

    /* The memory lives as long as a process holds it: fill in the child, tell the
     * parent through the pipe, stay. */
    int ready[2];
    char byte = 0;

    if (pipe(ready) != 0) {
        perror("memload: pipe");
        return 1;
    }
    switch (fork()) {
    case -1:
        perror("memload: fork");
        return 1;
    case 0:
        close(ready[0]);
        if (fill_mb)
            random_memory(fill_mb * MB);
        if (dirty_mb)
            memory = random_memory(dirty_mb * MB);
        if (write(ready[1], &byte, 1) != 1)
            return 1;
        close(ready[1]);
        if (memory && rate > 0)
            dirty(memory, dirty_mb * MB / PAGE, rate * MB / PAGE);
        for (;;)
            pause();
    default:
        close(ready[1]);
        return read(ready[0], &byte, 1) == 1 ? 0 : 1;
    }
}
