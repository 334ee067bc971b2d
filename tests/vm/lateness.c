/* SPDX-License-Identifier: MIT */
/*
 * lateness FILE: sleeps for a moment again and again, and writes to FILE by how many ms it woke too late at worst.
 * A machine that stands still, because the computer under it has other things to do, shows there.
 */
#include <stdio.h>
#include <time.h>

#define EACH_NS 20000000L

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static int write_down(const char *path, long ms)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return -1;
	fprintf(f, "%ld\n", ms);
	return fclose(f);
}

int main(int argc, char **argv)
{
	const struct timespec each = { 0, EACH_NS };
	long worst = 0;

	if (argc != 2 || write_down(argv[1], 0))
		return 2;
	for (;;) {
		long began = now_ms(), late;

		nanosleep(&each, NULL);
		late = now_ms() - began - EACH_NS / 1000000;
		if (late <= worst)
			continue;
		worst = late;
		if (write_down(argv[1], worst))
			return 1;
	}
}
