/* SPDX-License-Identifier: MIT */
/* The CBOR of SMP: every recorded packet, and what no device should send. */
#include "../unit.h"

#include <stdio.h>

#include "link/smp_serial_codec.h"
#include "smp/smp_cbor.h"

static bool parse(const char *hex, struct smp_doc *ret)
{
	static uint8_t buf[4096];
	size_t len;

	assert_true(bf_unhex(hex, buf, sizeof(buf), &len));
	return bf_smp_parse(buf, len, ret);
}

/* ---- the recorded dialogues ---- */

struct counts {
	unsigned asked, answered, refused;
};

static void look(const uint8_t *packet, size_t len, bool from_device, struct counts *c)
{
	static struct smp_doc doc;
	const struct smp_item *top = &doc.items[0];

	assert_int_equal(bf_get_be16(packet + 2), len - BF_SMP_HEADER);
	assert_true(bf_smp_parse(packet + BF_SMP_HEADER, len - BF_SMP_HEADER, &doc));
	assert_int_equal(top->kind, SMP_MAP);
	assert_int_equal(packet[0] & 1, from_device);
	if (!from_device) {
		c->asked++;
		return;
	}
	c->answered++;
	if (bf_smp_get(&doc, top, "err", SMP_MAP))
		c->refused++;
	else if (bf_smp_get(&doc, top, "rc", SMP_NUMBER))
		c->refused += bf_smp_get(&doc, top, "rc", SMP_NUMBER)->number != 0;
	/* Each kind of answer holds what it is read for. */
	if (packet[5] == 1 && packet[7] == 1)
		assert_non_null(bf_smp_get(&doc, top, "off", SMP_NUMBER));
	if (packet[5] == 0 && packet[7] == 6)
		assert_int_equal(bf_smp_get(&doc, top, "buf_size", SMP_NUMBER)->number, 1024);
}

static size_t unescape(const char *text, uint8_t *dst)
{
	size_t n = 0;

	for (; *text && *text != '\n'; text++) {
		if (text[0] == '\\' && text[1] == 'x') {
			dst[n++] = (uint8_t)(bf_hex_digit(text[2]) << 4 | bf_hex_digit(text[3]));
			text += 3;
		} else {
			dst[n++] = (uint8_t)*text;
		}
	}
	return n;
}

static struct counts read_all(const char *name)
{
	static char path[4096], line[1024];
	static uint8_t rx[2][4096];
	struct bf_smp_console in[2] = { { .buf = rx[0], .cap = sizeof(rx[0]) },
					{ .buf = rx[1], .cap = sizeof(rx[1]) } };
	struct counts c = { 0 };
	uint8_t bytes[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/smp/%s", getenv("BF_TEST_DATA"), name);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bool device = line[0] == '<';
		size_t n = unescape(line + 2, bytes);

		for (size_t i = 0; i < n; i++) {
			enum bf_deframed d = bf_smp_console_put(&in[device], bytes[i]);

			assert_int_not_equal(d, BF_DEFRAME_DAMAGED);
			if (d == BF_DEFRAME_MESSAGE)
				look(rx[device] + 2, in[device].packet_len, device, &c);
		}
	}
	fclose(f);
	return c;
}

static void every_recorded_packet_is_read(void **state)
{
	static const struct {
		const char *name;
		struct counts c;
	} rows[] = {
		{ "recovery.txt", { 91, 91, 0 } },
		{ "slots-test-revert.txt", { 92, 92, 0 } },
		{ "bad-signature.txt", { 46, 46, 0 } },
		{ "edges.txt", { 6, 6, 4 } },
		{ "app-two-slots.txt", { 178, 178, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		struct counts c = read_all(rows[i].name);

		assert_int_equal(c.asked, rows[i].c.asked);
		assert_int_equal(c.answered, rows[i].c.answered);
		assert_int_equal(c.refused, rows[i].c.refused);
	}
}

/* ---- forms ---- */

static void open_and_definite_maps_read_the_same(void **state)
{
	static struct smp_doc doc;

	(void)state;
	assert_true(parse("a2636f666619020062726300", &doc));
	assert_int_equal(bf_smp_get(&doc, doc.items, "off", SMP_NUMBER)->number, 512);
	assert_true(parse("bf636f666619020062726300ff", &doc));
	assert_int_equal(bf_smp_get(&doc, doc.items, "off", SMP_NUMBER)->number, 512);
	assert_int_equal(bf_smp_get(&doc, doc.items, "rc", SMP_NUMBER)->number, 0);
	assert_null(bf_smp_get(&doc, doc.items, "off", SMP_TEXT));
	assert_null(bf_smp_get(&doc, doc.items, "len", SMP_NUMBER));
}

static void no_body_is_an_empty_map(void **state)
{
	static struct smp_doc doc;

	(void)state;
	assert_true(bf_smp_parse(NULL, 0, &doc));
	assert_int_equal(doc.items[0].kind, SMP_MAP);
	assert_null(bf_smp_each(&doc, doc.items, NULL));
}

static void what_is_in_lists_and_maps_is_walked_one_by_one(void **state)
{
	static struct smp_doc doc;
	const struct smp_item *list, *i;
	unsigned n = 0;

	(void)state;
	/* {"a": [{"b": 1}, [2, 3], "x", {}], "c": true} */
	assert_true(parse("a2616184a16162018202036178a06163f5", &doc));
	list = bf_smp_get(&doc, doc.items, "a", SMP_LIST);
	assert_non_null(list);
	for (i = bf_smp_each(&doc, list, NULL); i; i = bf_smp_each(&doc, list, i))
		n++;
	assert_int_equal(n, 4);
	assert_int_equal(bf_smp_get(&doc, doc.items, "c", SMP_BOOL)->number, 1);
}

static void what_nobody_sends_is_refused_or_passed_over(void **state)
{
	static struct smp_doc doc;
	char deep[64] = "";

	(void)state;
	assert_false(parse("bf", &doc));                 /* no end */
	assert_false(parse("ff", &doc));                 /* an end of nothing */
	assert_false(parse("bf6161ff", &doc));           /* a key without a value */
	assert_false(parse("9bffffffffffffffff", &doc)); /* a list of 2^64 - 1 */
	assert_false(parse("bbffffffffffffffff", &doc));
	assert_false(parse("5bffffffffffffffff00", &doc)); /* a string that is not there */
	assert_false(parse("a1a000", &doc));               /* a map for a key */
	assert_false(parse("e0", &doc));                   /* a simple value without a meaning */
	for (unsigned i = 0; i < SMP_DEPTH + 1; i++)
		strcat(deep, "81");
	strcat(deep, "00");
	assert_false(parse(deep, &doc));
	/* Negative numbers, floats, tags, strings in parts, keys that are numbers. */
	assert_true(parse("a56161206162f93c006163c11a514b67b061645f4101ff0102", &doc));
	assert_int_equal(bf_smp_get(&doc, doc.items, "c", SMP_NUMBER)->number, 0x514b67b0);
	assert_null(bf_smp_get(&doc, doc.items, "a", SMP_NUMBER));
	assert_null(bf_smp_get(&doc, doc.items, "d", SMP_BYTES));
}

static void too_many_items_are_refused(void **state)
{
	static struct smp_doc doc;
	uint8_t buf[SMP_ITEMS + 8] = { 0x9F };

	(void)state;
	buf[SMP_ITEMS] = 0xFF; /* the list and SMP_ITEMS - 1 zeros */
	assert_true(bf_smp_parse(buf, sizeof(buf), &doc));
	buf[SMP_ITEMS] = 0;
	buf[SMP_ITEMS + 1] = 0xFF;
	assert_false(bf_smp_parse(buf, sizeof(buf), &doc));
}

static void a_request_is_written_as_it_was_recorded(void **state)
{
	uint8_t buf[64];
	struct bf_out o = bf_out(buf, sizeof(buf));
	char hex[130];

	(void)state;
	bf_smp_put_map(&o, 2);
	bf_smp_put_bytes(&o, "hash", (const uint8_t *)"\x01\x02", 2);
	bf_smp_put_bool(&o, "confirm", false);
	assert_false(o.failed);
	assert_string_equal(bf_hex(hex, sizeof(hex), buf, o.len),
			    "a2646861736842010267636f6e6669726df4");
}

static void numbers_of_every_length_are_read(void **state)
{
	static const struct {
		const char *hex;
		uint64_t number;
	} rows[] = {
		{ "A1636F666617", 0x17 },
		{ "A1636F666618FF", 0xFF },
		{ "A1636F6666190100", 0x100 },
		{ "A1636F66661A00012345", 0x12345 },
		{ "A1636F66661B0000000123456789", UINT64_C(0x123456789) },
	};
	static struct smp_doc doc;

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct smp_item *off;

		assert_true(parse(rows[i].hex, &doc));
		off = bf_smp_get(&doc, &doc.items[0], "off", SMP_NUMBER);
		assert_non_null(off);
		assert_true(off->number == rows[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_recorded_packet_is_read),
		cmocka_unit_test(open_and_definite_maps_read_the_same),
		cmocka_unit_test(no_body_is_an_empty_map),
		cmocka_unit_test(what_is_in_lists_and_maps_is_walked_one_by_one),
		cmocka_unit_test(what_nobody_sends_is_refused_or_passed_over),
		cmocka_unit_test(too_many_items_are_refused),
		cmocka_unit_test(a_request_is_written_as_it_was_recorded),
		cmocka_unit_test(numbers_of_every_length_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
