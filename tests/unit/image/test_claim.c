/* SPDX-License-Identifier: MIT */
/* Recognition by content, addresses, and the four formats of one firmware against each other. */
#include "made.h"

#include "image/image_priv.h"

static struct bf_claim *loaded(const char *name, bool raw)
{
	const struct bf_claim_opts opts = { .has_addr = raw, .addr = 0x08010200 };
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };
	char path[512];

	if (bf_claim_load(data_path(name, path), &opts, &claim, &err))
		fail_msg("%s", err.cause);
	return claim;
}

static void each_format_is_recognised_by_content(void **state)
{
	static const struct {
		const char *name;
		enum bf_format format;
	} rows[] = {
		{ "firmware/app-1.5.0.bin", BF_FORMAT_RAW },
		{ "firmware/app-1.5.0.hex", BF_FORMAT_IHEX },
		{ "firmware/app-1.5.0.srec", BF_FORMAT_SREC },
		{ "firmware/app-1.5.0.elf", BF_FORMAT_ELF },
		{ "mcuboot/app-1.5.0.signed.bin", BF_FORMAT_MCUBOOT },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		BF_AUTO(bf_claim) *c = loaded(rows[i].name, rows[i].format == BF_FORMAT_RAW);

		assert_int_equal(bf_claim_meta(c)->format, rows[i].format);
		assert_int_equal(bf_claim_meta(c)->mcuboot, rows[i].format == BF_FORMAT_MCUBOOT);
		assert_int_equal(bf_claim_meta(c)->usb_vid, 0xFFFF);
	}
}

/* HEX, S-record and ELF of one link hold the application and a calibration page behind a hole. */
static void formats_of_one_firmware_hold_the_same_bytes(void **state)
{
	static const char *const names[] = { "firmware/app-1.5.0.srec", "firmware/app-1.5.0.elf" };
	BF_AUTO(bf_claim) *hex = loaded("firmware/app-1.5.0.hex", false);
	BF_AUTO(bf_claim) *bin = loaded("firmware/app-1.5.0.bin", true);

	(void)state;
	assert_int_equal(hex->n_segs, 2);
	assert_int_equal(hex->segs[0].addr, 0x08010200);
	assert_int_equal(hex->segs[1].addr, 0x08060000);
	assert_int_equal(hex->segs[0].len, bin->len);
	assert_memory_equal(hex->segs[0].data, bin->file, bin->len);
	for (size_t i = 0; i < BF_COUNT(names); i++) {
		BF_AUTO(bf_claim) *c = loaded(names[i], false);

		assert_int_equal(c->n_segs, hex->n_segs);
		for (size_t k = 0; k < c->n_segs; k++) {
			assert_int_equal(c->segs[k].addr, hex->segs[k].addr);
			assert_int_equal(c->segs[k].len, hex->segs[k].len);
			assert_memory_equal(c->segs[k].data, hex->segs[k].data, c->segs[k].len);
		}
		assert_memory_equal(c->meta.digest, hex->meta.digest, 32);
	}
}

static void a_raw_binary_needs_an_address(void **state)
{
	const struct bf_claim_opts none = { 0 }, high = { .has_addr = true, .addr = 0xFFFFFFFE };
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	(void)state;
	assert_int_equal(
		bf_claim_parse((const uint8_t *)"\1\2\3", 3, "a.bin", NULL, 0, &none, &claim, &err),
		BF_E_IMAGE);
	assert_non_null(strstr(err.todo, "--addr"));
	assert_non_null(strstr(err.cause, "begins with 010203"));
	assert_int_equal(
		bf_claim_parse((const uint8_t *)"\1\2\3", 3, "a.bin", NULL, 0, &high, &claim, &err),
		BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "32-bit address space"));
}

static void an_address_where_the_format_has_its_own_is_refused(void **state)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = 0 };
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };
	char path[512];

	(void)state;
	assert_int_equal(
		bf_claim_load(data_path("firmware/app-1.5.0.hex", path), &opts, &claim, &err),
		BF_E_USAGE);
	assert_non_null(strstr(err.cause, "is Intel HEX"));
}

static void missing_and_empty_files_are_refused(void **state)
{
	const struct bf_claim_opts opts = { 0 };
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };
	char path[512];

	(void)state;
	assert_int_equal(bf_claim_load("/nowhere/x.bin", &opts, &claim, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "/nowhere/x.bin"));
	assert_int_equal(bf_claim_load(data_path("mcuboot/empty.bin", path), &opts, &claim, &err),
			 BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "empty"));
}

static void a_named_signature_that_is_missing_is_a_signature_error(void **state)
{
	const struct bf_claim_opts opts = { .sig_path = "/nowhere/x.minisig" };
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };
	char path[512];

	(void)state;
	assert_int_equal(
		bf_claim_load(data_path("firmware/app-1.5.0.hex", path), &opts, &claim, &err),
		BF_E_SIGNATURE);
	assert_non_null(strstr(err.cause, "/nowhere/x.minisig"));
}

/* As `objcopy -I binary -O ihex --change-addresses` would; 16 bytes a line. */
static size_t as_hex(const uint8_t *p, size_t len, char *dst)
{
	size_t at = (size_t)sprintf(dst, ":020000040801F1\n");

	for (size_t i = 0; i < len; i += 16) {
		uint8_t n = (uint8_t)(len - i < 16 ? len - i : 16);
		uint8_t sum = (uint8_t)(n + (i >> 8) + i);

		at += (size_t)sprintf(dst + at, ":%02X%04zX00", n, i);
		for (size_t k = 0; k < n; k++) {
			at += (size_t)sprintf(dst + at, "%02X", p[i + k]);
			sum = (uint8_t)(sum + p[i + k]);
		}
		at += (size_t)sprintf(dst + at, "%02X\n", (uint8_t)-sum);
	}
	return at + (size_t)sprintf(dst + at, ":00000001FF\n");
}

static void an_mcuboot_image_in_hex_has_its_own_signature(void **state)
{
	BF_AUTO_MEM char *text = malloc(16384);
	BF_AUTO(bf_keyring) *ring = made_ring();
	BF_AUTO(bf_image) *image = NULL;
	const struct bf_segment *seg;
	struct made m = { 0 };
	struct bf_err err = { 0 };
	size_t n;

	(void)state;
	make(&m);
	n = as_hex(m.bytes, m.len, text);
	if (bytes_to_image((uint8_t *)text, n, ring, &image, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(bf_image_meta(image)->format, BF_FORMAT_IHEX);
	assert_true(bf_image_meta(image)->mcuboot);
	assert_int_equal(bf_image_segments(image, &seg), 1);
	assert_int_equal(seg->len, m.len);
	assert_string_equal(bf_image_key_name(image), "made.pem");
	text[n / 2] = text[n / 2] == '0' ? '1' : '0';
	made_verdict((uint8_t *)text, n, BF_E_IMAGE, "line");
}

static void the_address_of_a_container_is_a_restriction_and_no_place(void **state)
{
	const struct bf_claim_opts same = { .has_addr = true, .addr = 0x08010000 },
				   other = { .has_addr = true, .addr = 0x08010800 };
	BF_AUTO_MEM char *text = malloc(16384);
	BF_AUTO(bf_claim) *bare = NULL;
	BF_AUTO(bf_claim) *meant = NULL;
	struct bf_claim *none = NULL;
	struct made m = { 0 };
	struct bf_err err = { 0 };
	size_t n;

	(void)state;
	make(&m);
	n = as_hex(m.bytes, m.len, text);
	text[n] = '\0';
	assert_int_equal(parse_text(text, &bare, &err), BF_OK);
	assert_int_equal(bare->segs[0].addr, 0);
	assert_false(bare->meta.has_addr);
	assert_true(bare->meta.container_has_addr);
	assert_int_equal(bare->meta.container_addr, 0x08010000);
	assert_false(bare->meta.container_has_alt);
	assert_int_equal(bf_claim_parse((uint8_t *)text, n, "a.hex", NULL, 0, &same, &meant, &err),
			 BF_OK);
	assert_int_equal(meant->segs[0].addr, 0x08010000);
	assert_true(meant->meta.has_addr);
	assert_int_equal(bf_claim_parse((uint8_t *)text, n, "a.hex", NULL, 0, &other, &none, &err),
			 BF_E_USAGE);
	assert_non_null(strstr(err.cause, "0x08010000"));
}

static void an_mcuboot_image_takes_the_address_that_the_user_gives(void **state)
{
	const struct bf_claim_opts opts = { .has_addr = true, .addr = 0x08020000 },
				   high = { .has_addr = true, .addr = 0xFFFFFFF0 };
	BF_AUTO(bf_claim) *claim = NULL;
	struct bf_claim *none = NULL;
	struct made m = { 0 };
	struct bf_err err = { 0 };

	(void)state;
	make(&m);
	assert_int_equal(bf_claim_parse(m.bytes, m.len, "a.bin", NULL, 0, &opts, &claim, &err),
			 BF_OK);
	assert_int_equal(claim->segs[0].addr, 0x08020000);
	assert_true(claim->meta.has_addr);
	assert_false(claim->meta.container_has_addr);
	assert_int_equal(bf_claim_parse(m.bytes, m.len, "a.bin", NULL, 0, &high, &none, &err),
			 BF_E_IMAGE);
}

static void an_mcuboot_image_in_pieces_is_explained(void **state)
{
	BF_AUTO_MEM char *text = malloc(16384);
	BF_AUTO(bf_keyring) *ring = made_ring();
	struct bf_image *image = NULL;
	struct made m = { 0 };
	struct bf_err err = { 0 };
	size_t n;

	(void)state;
	make(&m);
	n = as_hex(m.bytes, m.len, text) - strlen(":00000001FF\n");
	n += (size_t)sprintf(text + n, ":01F0000080%02X\n:00000001FF\n",
			     (uint8_t) - (1 + 0xF0 + 0x80));
	assert_int_equal(bytes_to_image((uint8_t *)text, n, ring, &image, &err), BF_E_SIGNATURE);
	assert_non_null(strstr(err.likely[0], "in several pieces"));
}

static void a_malformed_file_says_what_to_do(void **state)
{
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	(void)state;
	assert_int_equal(parse_text(":0200000061623B\n", &claim, &err), BF_E_IMAGE);
	assert_int_equal(err.n_likely, 1);
	assert_string_equal(
		err.next,
		"sha256sum app.txt # compare with the original; where they differ, get it again");
}

#define HEX_DATA \
	"\x3A"   \
	"0200000061623B\n"
#define HEX_END ":00000001FF\n"
#define SREC    "S1050000616237\nS9030000FC\n"

static void text_formats_are_known_by_their_first_record(void **state)
{
	static const struct {
		const char *text;
		enum bf_format format;
	} rows[] = {
		{ "\xEF\xBB\xBF" HEX_DATA HEX_END, BF_FORMAT_IHEX },
		{ "\xEF\xBB\xBF" SREC, BF_FORMAT_SREC },
		{ "\n\r\n" HEX_DATA HEX_END, BF_FORMAT_IHEX },
		{ "\n\r\n" SREC, BF_FORMAT_SREC },
		{ "  " HEX_DATA "\t" HEX_END, BF_FORMAT_IHEX },
		{ " S1050000616237\n\tS9030000FC\n", BF_FORMAT_SREC },
		{ "s1050000616237\ns9030000fc\n", BF_FORMAT_SREC },
		{ "; firmware 1.5.0\n" HEX_DATA HEX_END, BF_FORMAT_IHEX },
		{ "* made by hand\nSome S1 text\n" SREC, BF_FORMAT_SREC },
	};

	(void)state;
	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const struct bf_claim_opts opts = { .has_addr = true, .addr = 0x08010000 };
		BF_AUTO(bf_claim) *claim = NULL;
		struct bf_claim *raw = NULL;
		struct bf_err err = { 0 };

		if (parse_text(rows[i].text, &claim, &err))
			fail_msg("row %zu: %s", i, err.cause);
		assert_int_equal(claim->meta.format, rows[i].format);
		assert_int_equal(claim->n_segs, 1);
		assert_memory_equal(claim->segs[0].data, "ab", 2);
		assert_int_equal(claim->meta.note[0] != 0, i >= 7);
		/* Its text is never taken for a raw binary. */
		assert_int_equal(bf_claim_parse((const uint8_t *)rows[i].text, strlen(rows[i].text),
						"x", NULL, 0, &opts, &raw, &err),
				 BF_E_USAGE);
	}
}

static void padding_and_remarks_behind_the_end_record_are_passed_over_with_a_note(void **state)
{
	static const char *const tails[] = { "\x1A", "\r\n\x1A\x1A\r\n",
					     ";PIC18F4550\n;CRC=1234 CREATED=\"today\"\n" };
	const struct bf_claim_opts opts = { 0 };
	BF_AUTO(bf_claim) *nul = NULL;
	struct bf_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < 2 * BF_COUNT(tails); i++) {
		BF_AUTO(bf_claim) *claim = NULL;
		char text[128];

		snprintf(text, sizeof(text), "%s%s", i % 2 ? SREC : HEX_DATA HEX_END, tails[i / 2]);
		if (parse_text(text, &claim, &err))
			fail_msg("%s", err.cause);
		assert_non_null(strstr(claim->meta.note,
				       "what follows the end record in line 2 was passed over"));
	}
	if (bf_claim_parse((const uint8_t *)HEX_DATA HEX_END "\0\0\0\0",
			   strlen(HEX_DATA HEX_END) + 4, "x", NULL, 0, &opts, &nul, &err))
		fail_msg("%s", err.cause);
	assert_non_null(strstr(nul->meta.note, "passed over (1 line)"));
}

static void a_second_part_is_refused_with_its_line(void **state)
{
	(void)state;
	refused(HEX_DATA HEX_END "\n; more\n" HEX_DATA HEX_END,
		"line 5: a second part begins behind the end record in line 2");
	refused(SREC "S5030001FB\n",
		"line 3: a second part begins behind the end record in line 2");
	refused(SREC SREC, "line 3: a second part");
}

static void text_is_passed_over_only_around_the_records(void **state)
{
	(void)state;
	refused(HEX_DATA "hello\n" HEX_END, "line 2");
	refused("S1050000616237\n* more\nS9030000FC\n", "line 2");
	refused("; a damaged first record counts\n:0200000061623C\n" HEX_DATA HEX_END, "line 2");
}

static void every_format_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BF_FORMAT_COUNT; i++)
		assert_true(strlen(bf_format_name((enum bf_format)i)) > 2);
	assert_string_equal(bf_format_name(BF_FORMAT_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_format_is_recognised_by_content),
		cmocka_unit_test(formats_of_one_firmware_hold_the_same_bytes),
		cmocka_unit_test(a_raw_binary_needs_an_address),
		cmocka_unit_test(an_address_where_the_format_has_its_own_is_refused),
		cmocka_unit_test(missing_and_empty_files_are_refused),
		cmocka_unit_test(a_named_signature_that_is_missing_is_a_signature_error),
		cmocka_unit_test(an_mcuboot_image_in_hex_has_its_own_signature),
		cmocka_unit_test(the_address_of_a_container_is_a_restriction_and_no_place),
		cmocka_unit_test(an_mcuboot_image_takes_the_address_that_the_user_gives),
		cmocka_unit_test(an_mcuboot_image_in_pieces_is_explained),
		cmocka_unit_test(a_malformed_file_says_what_to_do),
		cmocka_unit_test(text_formats_are_known_by_their_first_record),
		cmocka_unit_test(
			padding_and_remarks_behind_the_end_record_are_passed_over_with_a_note),
		cmocka_unit_test(a_second_part_is_refused_with_its_line),
		cmocka_unit_test(text_is_passed_over_only_around_the_records),
		cmocka_unit_test(every_format_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
