/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files, and the files of folders, without libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static void one_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	size_t cap = 1 << 20, n;

	if (!f) {
		perror(path);
		exit(1);
	}
	p = malloc(cap);
	if (!p)
		abort();
	n = fread(p, 1, cap, f);
	fclose(f);
	/* An allocation of exactly this size lets AddressSanitizer see one byte too far. */
	p = realloc(p, n ? n : 1);
	if (!p)
		abort();
	LLVMFuzzerTestOneInput(p, n);
	free(p);
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static size_t one_folder(const char *path)
{
	struct dirent **found = NULL;
	int n = scandir(path, &found, not_hidden, alphasort);

	for (int i = 0; i < n; i++) {
		char *file = NULL;

		if (asprintf(&file, "%s/%s", path, found[i]->d_name) < 0)
			abort();
		one_file(file);
		free(file);
		free(found[i]);
	}
	free(found);
	return n > 0 ? (size_t)n : 0;
}

int main(int argc, char **argv)
{
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			n += one_folder(argv[i]);
		} else {
			one_file(argv[i]);
			n++;
		}
	}
	printf("%zu inputs\n", n);
	return n ? 0 : 1; /* a target without seeds tests nothing */
}
