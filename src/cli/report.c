/* SPDX-License-Identifier: MIT */
/* --report: the packs of a call as CSV or JUnit, by the file's suffix; written as one piece when all have ended. */
#include <string.h>

#include "bmsflash/file.h"
#include "bmsflash/json.h"
#include "cli.h"

struct column {
	const char *title, *key;
	bool error; /* a member of the result's error */
};

static const struct column columns[] = {
	{ "interface", "interface", false },
	{ "node", "node", false },
	{ "serial", "serial", false },
	{ "word", "word", false },
	{ "exit", "exit", false },
	{ "status", "status", false },
	{ "state", "state", false },
	{ "from_version", "from_version", false },
	{ "version", "version", false },
	{ "image_version", "image_version", false },
	{ "image_digest", "image_digest", false },
	{ "key", "key", false },
	{ "key_id", "key_id", false },
	{ "seconds", "seconds", false },
	{ "backup", "backup", false },
	{ "record_digest", "record_digest", false },
	{ "text", "text", false },
	{ "cause", "cause", true },
	{ "next", "next", true },
	{ "run", "run", false },
	{ "time", "t", false },
};

static bool ends_in(const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n > t && strcmp(name + n - t, tail) == 0;
}

enum bf_rc bf_report_check(const char *path, struct bf_err *err)
{
	if (!ends_in(path, ".csv") && !ends_in(path, ".xml"))
		return bf_fail(err, BF_E_USAGE,
			       "--report '%s' is written as CSV (.csv) or JUnit (.xml)", path);
	return bf_file_may_replace(path, err);
}

/* A number or a text, "" where there is none. */
static const char *value_of(const struct bf_json *result, const struct column *c, char *dst,
			    size_t cap)
{
	const struct bf_json *j = c->error ? bf_json_get(result, "error") : result;
	const char *text = bf_json_str(j, c->key);
	double real = bf_json_real(j, c->key, -1);

	if (text)
		return text;
	dst[0] = '\0';
	if (real >= 0)
		snprintf(dst, cap, "%.10g", real);
	return dst;
}

/*
 * Text in quotes. Spreadsheets take what begins with one of these for a formula, with blanks in front of it too;
 * an apostrophe makes it text again.
 */
static void csv_text(FILE *to, const char *text)
{
	fputc('"', to);
	if (strchr("=+-@\t\r", text[strspn(text, " ")]) && *text)
		fputc('\'', to);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', to);
		fputc(*text, to);
	}
	fputc('"', to);
}

static void write_csv(FILE *to, struct bf_json *const *results, size_t n)
{
	char number[40];

	for (size_t c = 0; c < BF_COUNT(columns); c++)
		fprintf(to, "%s%s", c ? "," : "", columns[c].title);
	fputs("\r\n", to);
	for (size_t i = 0; i < n; i++) {
		for (size_t c = 0; c < BF_COUNT(columns); c++) {
			const char *text =
				value_of(results[i], &columns[c], number, sizeof(number));

			fputs(c ? "," : "", to);
			if (text == number)
				fputs(text, to);
			else
				csv_text(to, text);
		}
		fputs("\r\n", to);
	}
}

/* Control characters are none of XML's, however they are written. */
static void xml_text(FILE *to, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			fputs("&amp;", to);
		else if (c == '<')
			fputs("&lt;", to);
		else if (c == '>')
			fputs("&gt;", to);
		else if (c == '"')
			fputs("&quot;", to);
		else if (c == '\n' || c == '\t')
			fprintf(to, "&#%u;", c);
		else
			fputc(c < 0x20 || c == 0x7F ? '?' : c, to);
	}
}

static void attribute(FILE *to, const char *name, const char *text)
{
	fprintf(to, " %s=\"", name);
	xml_text(to, text ? text : "");
	fputc('"', to);
}

static void write_case(FILE *to, const struct bf_json *r)
{
	const struct bf_json *e = bf_json_get(r, "error");
	const char *iface = bf_json_str(r, "interface"), *serial = bf_json_str(r, "serial");
	int64_t node = bf_json_int(r, "node", -1);
	char name[256], number[40];

	snprintf(name, sizeof(name), "%s", iface ? iface : "files");
	if (node >= 0)
		snprintf(name, sizeof(name), "%.200s node %lld", iface ? iface : "",
			 (long long)node);
	fputs("  <testcase", to);
	attribute(to, "classname", serial && *serial ? serial : "bmsflash");
	attribute(to, "name", name);
	fprintf(to, " time=\"%.3f\">\n    <properties>\n", bf_json_real(r, "seconds", 0));
	for (size_t c = 0; c < BF_COUNT(columns); c++) {
		const char *text = value_of(r, &columns[c], number, sizeof(number));

		if (!*text)
			continue;
		fputs("      <property", to);
		attribute(to, "name", columns[c].title);
		attribute(to, "value", text);
		fputs("/>\n", to);
	}
	fputs("    </properties>\n", to);
	if (e) {
		const char *next = bf_json_str(e, "next");

		fputs("    <failure", to);
		attribute(to, "type", bf_json_str(r, "exit"));
		attribute(to, "message", bf_json_str(r, "text"));
		fputc('>', to);
		xml_text(to, bf_json_str(e, "cause") ? bf_json_str(e, "cause") : "");
		if (next) {
			fputs("\nNext: ", to);
			xml_text(to, next);
		}
		fputs("</failure>\n", to);
	}
	fputs("  </testcase>\n", to);
}

static void write_junit(FILE *to, const char *command, struct bf_json *const *results, size_t n)
{
	size_t failures = 0;
	double seconds = 0;

	for (size_t i = 0; i < n; i++) {
		failures += bf_json_get(results[i], "error") != NULL;
		seconds += bf_json_real(results[i], "seconds", 0);
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite", to);
	attribute(to, "name", command);
	fprintf(to, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"%.3f\">\n",
		n, failures, seconds);
	for (size_t i = 0; i < n; i++)
		write_case(to, results[i]);
	fputs("</testsuite>\n", to);
}

enum bf_rc bf_report_write(const char *path, const char *command, struct bf_json *const *results,
			   size_t n, struct bf_err *err)
{
	BF_AUTO_MEM char *text = NULL;
	char full[96];
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		abort();
	snprintf(full, sizeof(full), "bmsflash %s", command);
	if (ends_in(path, ".csv"))
		write_csv(to, results, n);
	else
		write_junit(to, full, results, n);
	if (fclose(to))
		abort();
	if (bf_file_replace(path, text, len, err))
		return bf_while(err, "writing the report '%s'", path);
	return BF_OK;
}
