/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include <stdio.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crc.h"
#include "image/image_priv.h"

#define HEADER                                                                                  \
	"vbf_version = 2.6;\r\nheader { // of a test }\r\n  description = {\"a } brace\"};\r\n" \
	"  sw_part_number = \"31808832\";\r\n /* } */ data_format_identifier = 0x%02X;\r\n%s}"

struct made {
	uint8_t p[1024];
	struct bf_out o;
};

static void block(struct bf_out *o, uint32_t addr, const char *data)
{
	size_t n = strlen(data);

	bf_out_be32(o, addr);
	bf_out_be32(o, (uint32_t)n);
	bf_out_bytes(o, data, n);
	bf_out_be16(o, bf_crc16(BF_CRC16_CCITT_FALSE, (const uint8_t *)data, n));
}

#define EMPTY "/* a block without bytes */"

/* Two blocks; `wrong` is added to the checksum of the file, before which `more` stands. */
static void make_with(struct made *m, unsigned format, uint32_t wrong, const char *more)
{
	char head[400], sum[80];
	uint8_t data[64];
	struct bf_out d = bf_out(data, sizeof(data));

	block(&d, 0x08010000, "123456789");
	block(&d, 0x08020000, "abc");
	if (strcmp(more, EMPTY) == 0)
		block(&d, 0x08030000, "");
	snprintf(sum, sizeof(sum), "%sfile_checksum = 0x%08X;\n", more,
		 bf_crc(&bf_crc32_ieee, data, d.len) + wrong);
	snprintf(head, sizeof(head), HEADER, format, sum);
	m->o = bf_out(m->p, sizeof(m->p));
	bf_out_bytes(&m->o, head, strlen(head));
	bf_out_bytes(&m->o, data, d.len);
}

static void make(struct made *m, unsigned format, uint32_t wrong)
{
	make_with(m, format, wrong, "");
}

static enum bf_rc parse(const struct made *m, size_t len, struct bf_claim **ret, struct bf_err *err)
{
	const struct bf_claim_opts none = { 0 };

	bf_err_init(err);
	return bf_claim_parse(m->p, len, "t.vbf", NULL, 0, &none, ret, err);
}

static void blocks_go_where_they_say(void **state)
{
	BF_AUTO(bf_claim) *c = NULL;
	struct made m;
	struct bf_err err;

	(void)state;
	make(&m, 0, 0);
	if (parse(&m, m.o.len, &c, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(bf_claim_meta(c)->format, BF_FORMAT_VBF);
	assert_int_equal(c->n_segs, 2);
	assert_int_equal(c->segs[0].addr, 0x08010000);
	assert_memory_equal(c->segs[0].data, "123456789", 9);
	assert_int_equal(c->segs[1].addr, 0x08020000);
	assert_int_equal(c->segs[1].len, 3);
}

/* Each letter beside a name makes it another name. */
static void a_name_is_a_whole_word(void **state)
{
	static const char letters[] = "azAZ09_m";

	(void)state;
	for (size_t i = 0; i < 2 * strlen(letters); i++) {
		char c = letters[i / 2], line[40];
		BF_AUTO(bf_claim) *claim = NULL;
		struct bf_err err;
		struct made m;

		snprintf(line, sizeof(line), i % 2 ? "file_checksum%c=1;" : "%cfile_checksum=1;",
			 c);
		make_with(&m, 0, 0, line);
		if (parse(&m, m.o.len, &claim, &err))
			fail_msg("'%s': %s", line, err.cause);
	}
}

static void damage_and_other_forms_of_data_are_refused(void **state)
{
	struct bf_claim *c = NULL;
	struct bf_err err;
	struct made m;

	(void)state;
	make(&m, 0, 1);
	assert_int_equal(parse(&m, m.o.len, &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "file_checksum"));
	make_with(&m, 0, 0, EMPTY);
	assert_int_equal(parse(&m, m.o.len, &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "cut short"));
	make(&m, 0x10, 0);
	assert_int_equal(parse(&m, m.o.len, &c, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "format 0x10"));
}

/* Cut anywhere, or any byte of the blocks changed: never taken. */
static void no_part_of_it_is_taken_for_the_whole(void **state)
{
	struct made m, other;
	struct bf_err err;

	(void)state;
	make(&m, 0, 0);
	for (size_t n = 12; n < m.o.len; n++) {
		struct bf_claim *c = NULL;

		assert_int_equal(parse(&m, n, &c, &err), BF_E_IMAGE);
	}
	for (size_t at = m.o.len - 32; at < m.o.len; at++) {
		struct bf_claim *c = NULL;

		other = m;
		other.p[at] ^= 0x40;
		assert_int_equal(parse(&other, m.o.len, &c, &err), BF_E_IMAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_go_where_they_say),
		cmocka_unit_test(a_name_is_a_whole_word),
		cmocka_unit_test(damage_and_other_forms_of_data_are_refused),
		cmocka_unit_test(no_part_of_it_is_taken_for_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
