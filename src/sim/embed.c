/* SPDX-License-Identifier: MIT */
/* Build tool: embed OUT NAME=FILE... writes files as C arrays with a table of names. */
#include <stdio.h>
#include <string.h>

static int write_array(FILE *out, const char *path, int number)
{
	FILE *in = fopen(path, "rb");
	int c, n = 0;

	if (!in)
		return -1;
	fprintf(out, "static const uint8_t image_%d[] = {", number);
	while ((c = fgetc(in)) != EOF)
		fprintf(out, "%s%d,", n++ % 20 ? "" : "\n", c);
	fprintf(out, "\n};\n\n");
	fclose(in);
	return 0;
}

int main(int argc, char **argv)
{
	FILE *out = argc > 1 ? fopen(argv[1], "w") : NULL;

	if (!out)
		return 1;
	fprintf(out, "#include \"builtin.h\"\n\n");
	for (int i = 2; i < argc; i++) {
		const char *eq = strchr(argv[i], '=');

		if (!eq || write_array(out, eq + 1, i)) {
			fprintf(stderr, "embed: cannot read '%s'\n", argv[i]);
			fclose(out);
			return 1;
		}
	}
	fprintf(out, "const struct bf_builtin bf_builtins[] = {\n");
	for (int i = 2; i < argc; i++)
		fprintf(out, "\t{ \"%.*s\", image_%d, sizeof(image_%d) },\n",
			(int)strcspn(argv[i], "="), argv[i], i, i);
	fprintf(out, "\t{ NULL, NULL, 0 },\n};\n");
	return fclose(out) != 0;
}
