/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include "bmsflash/bytes.h"
#include "image/image_priv.h"

struct load {
	uint32_t offset, paddr, filesz, memsz;
};

/* A 32-bit little-endian executable: header, program headers, 16 bytes of data; no sections. */
static size_t make_elf(uint8_t dst[512], uint16_t type, const struct load *loads, uint16_t n)
{
	struct bf_out o = bf_out(dst, 512);

	bf_out_bytes(&o, "\177ELF\1\1\1\0\0\0\0\0\0\0\0\0", 16);
	bf_out_le16(&o, type);
	bf_out_le16(&o, 40); /* ARM */
	bf_out_le32(&o, 1);
	bf_out_le32(&o, 0);
	bf_out_le32(&o, 52);
	bf_out_le32(&o, 0);
	bf_out_le32(&o, 0);
	bf_out_le16(&o, 52);
	bf_out_le16(&o, 32);
	bf_out_le16(&o, n);
	bf_out_bytes(&o, "\x28\0\0\0\0\0", 6);
	for (uint16_t i = 0; i < n; i++) {
		bf_out_le32(&o, 1);
		bf_out_le32(&o, loads[i].offset);
		bf_out_le32(&o, 0x20000000);
		bf_out_le32(&o, loads[i].paddr);
		bf_out_le32(&o, loads[i].filesz);
		bf_out_le32(&o, loads[i].memsz);
		bf_out_le32(&o, 5);
		bf_out_le32(&o, 4);
	}
	bf_out_bytes(&o, "0123456789abcdef", 16);
	assert_false(o.failed);
	return o.len;
}

static enum bf_rc parsed(uint16_t type, const struct load *loads, uint16_t n, struct bf_claim **ret,
			 struct bf_err *err)
{
	const struct bf_claim_opts opts = { 0 };
	uint8_t bytes[512];
	size_t len = make_elf(bytes, type, loads, n);

	return bf_claim_parse(bytes, len, "app.elf", NULL, 0, &opts, ret, err);
}

static void elf_refused(uint16_t type, const struct load *loads, uint16_t n, const char *words)
{
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };

	assert_int_equal(parsed(type, loads, n, &claim, &err), BF_E_IMAGE);
	if (!strstr(err.cause, words))
		fail_msg("cause '%s' lacks '%s'", err.cause, words);
}

static void loads_go_to_their_physical_address(void **state)
{
	const struct load loads[] = { { 148, 0x08010200, 4, 4 },
				      { 156, 0x08060000, 8, 8 },
				      { 164, 0x08010204, 0, 64 } };
	BF_AUTO(bf_claim) *c = NULL;
	struct bf_err err = { 0 };

	(void)state;
	if (parsed(2, loads, 3, &c, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(c->meta.format, BF_FORMAT_ELF);
	assert_int_equal(c->n_segs, 2);
	assert_int_equal(c->segs[0].addr, 0x08010200);
	assert_memory_equal(c->segs[0].data, "0123", 4);
	assert_int_equal(c->segs[1].len, 8);
}

static void neighbours_in_memory_become_one_segment(void **state)
{
	const struct load loads[] = { { 124, 0x1004, 4, 4 }, { 116, 0x1000, 4, 4 } };
	BF_AUTO(bf_claim) *c = NULL;
	struct bf_err err = { 0 };

	(void)state;
	if (parsed(2, loads, 2, &c, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(c->n_segs, 1);
	assert_memory_equal(c->segs[0].data, "012389ab", 8);
}

static void what_is_no_linked_firmware_is_refused(void **state)
{
	const struct load one = { 84, 0x1000, 4, 4 }, none = { 84, 0x1000, 0, 4 };

	(void)state;
	elf_refused(1, &one, 1, "ELF file of type 1");
	elf_refused(3, &one, 1, "ELF file of type 3");
	elf_refused(4, &one, 1, "ELF file of type 4");
	elf_refused(2, &none, 1, "holds no data");
	elf_refused(2, &none, 0, "holds no data");
}

static void loads_outside_file_or_memory_are_refused(void **state)
{
	const struct load far = { 96, 0x1000, 5, 5 }, gone = { 0xFFFFFFF0, 0x1000, 0x20, 0x20 },
			  high = { 84, 0xFFFFFFFE, 4, 4 };
	const struct load overlap[] = { { 116, 0x1000, 4, 4 }, { 120, 0x1002, 4, 4 } };

	(void)state;
	elf_refused(2, &far, 1, "program header 0 has 5 bytes at offset 0x60");
	elf_refused(2, &gone, 1, "is cut short");
	elf_refused(2, &high, 1, "past the 32-bit address space");
	elf_refused(2, overlap, 2, "address 0x00001002 is given twice");
}

/* Without sections nobody can say where the firmware begins: nothing is dropped in silence. */
static void elf_headers_are_never_firmware(void **state)
{
	const struct load from_0 = { 0, 0x1000, 100, 100 }, headers = { 0, 0x1000, 84, 84 };
	const struct load two[] = { { 0, 0x0800F000, 124, 124 }, { 124, 0x08010000, 8, 8 } };
	const struct load alone[] = { { 0, 0x0800F000, 116, 116 }, { 116, 0x08010000, 8, 8 } };
	BF_AUTO(bf_claim) *c = NULL;
	struct bf_err err = { 0 };

	(void)state;
	elf_refused(2, &from_0, 1, "no section table says where");
	elf_refused(2, two, 2, "program header 0 begins with the ELF headers");
	elf_refused(2, &headers, 1, "holds no data");
	if (parsed(2, alone, 2, &c, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(c->n_segs, 1);
	assert_int_equal(c->segs[0].addr, 0x08010000);
}

/* One segment from offset 0 on: headers, 20 bytes of padding, 12 of firmware; a section table behind. */
static size_t with_section(uint8_t dst[512], uint32_t section_at, char padding)
{
	const struct load load = { 0, 0x0800F000, 116, 116 };
	size_t len = make_elf(dst, 2, &load, 1);
	struct bf_out o = bf_out(dst, 512);

	assert_int_equal(len, 100);
	memset(dst + 84, padding, 20);
	memcpy(dst + 104, "the firmware", 12);
	bf_put_le32(dst + 32, 116); /* where the section table is: */
	bf_put_le16(dst + 46, 40);
	bf_put_le16(dst + 48, 2);
	o.len = 116;
	for (size_t i = 0; i < 10; i++)
		bf_out_le32(&o, 0);
	for (size_t i = 0; i < 10; i++) /* name, type, flags, address, offset, size .. */
		bf_out_le32(&o, i == 1 ? 1 : i == 2 ? 2 : i == 4 ? section_at : i == 5 ? 4 : 0);
	return o.len;
}

static void what_lies_between_headers_and_first_section_must_be_padding(void **state)
{
	const struct bf_claim_opts opts = { 0 };
	BF_AUTO(bf_claim) *c = NULL;
	struct bf_claim *none = NULL;
	struct bf_err err = { 0 };
	uint8_t bytes[512];
	size_t len = with_section(bytes, 104, '\0');

	(void)state;
	if (bf_claim_parse(bytes, len, "x", NULL, 0, &opts, &c, &err))
		fail_msg("%s", err.cause);
	assert_int_equal(c->n_segs, 1);
	assert_int_equal(c->segs[0].addr, 0x0800F000 + 104);
	assert_int_equal(c->segs[0].len, 12);
	assert_memory_equal(c->segs[0].data, "the firmware", 12);
	len = with_section(bytes, 104, 'c');
	assert_int_equal(bf_claim_parse(bytes, len, "x", NULL, 0, &opts, &none, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "20 bytes at offset 0x54 that belong to no section"));
	len = with_section(bytes, 60, '\0');
	assert_int_equal(bf_claim_parse(bytes, len, "x", NULL, 0, &opts, &none, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "lies inside the ELF headers"));
}

static void bytes_of_the_file_are_loaded_once(void **state)
{
	const struct load same[] = { { 116, 0x1000, 8, 8 }, { 116, 0x2000, 8, 8 } };
	const struct load part[] = { { 148, 0x1000, 8, 8 },
				     { 155, 0x2000, 8, 8 },
				     { 163, 0x3000, 1, 1 } };

	(void)state;
	elf_refused(2, same, 2,
		    "load the bytes at offset 0x74 twice, to 0x00001000 and to 0x00002000");
	elf_refused(2, part, 3, "load the bytes at offset 0x9b twice");
}

static void many_headers_and_sections_take_linear_time(void **state)
{
	enum { N = 60000 };
	const struct bf_claim_opts opts = { 0 };
	size_t cap = 52 + N * 32 + N + N * 40, sections = 52 + N * 32 + N;
	BF_AUTO_MEM uint8_t *bytes = calloc(1, cap);
	struct bf_claim *claim = NULL;
	struct bf_err err = { 0 };
	const struct load none = { 84, 0x1000, 4, 4 };
	uint8_t head[512];

	(void)state;
	assert_non_null(bytes);
	make_elf(head, 2, &none, 1);
	memcpy(bytes, head, 52);
	bf_put_le32(bytes + 32, (uint32_t)sections);
	bf_put_le16(bytes + 44, N);
	bf_put_le16(bytes + 46, 40);
	bf_put_le16(bytes + 48, N);
	for (size_t i = 0; i < N; i++) {
		uint8_t *ph = bytes + 52 + 32 * i, *sh = bytes + sections + 40 * i;

		bf_put_le32(ph, 1);
		bf_put_le32(ph + 4,
			    (uint32_t)i); /* each begins in the headers and ends in the firmware */
		bf_put_le32(ph + 12, (uint32_t)(0x10000000 + i));
		bf_put_le32(ph + 16, 52 + 32 * N + 2);
		bf_put_le32(sh + 4, i ? 1 : 0);
		bf_put_le32(sh + 8, 2);
		bf_put_le32(sh + 16, (uint32_t)(52 + 32 * N + i));
		bf_put_le32(sh + 20, 1);
	}
	assert_int_equal(bf_claim_parse(bytes, cap, "x", NULL, 0, &opts, &claim, &err), BF_E_IMAGE);
	assert_non_null(strstr(err.cause, "twice"));
}

static void a_cut_header_is_refused(void **state)
{
	const struct load one = { 84, 0x1000, 4, 4 };
	const struct bf_claim_opts opts = { 0 };
	uint8_t bytes[512];
	size_t len = make_elf(bytes, 2, &one, 1);

	(void)state;
	for (size_t n = 4; n < len - 12; n++) {
		struct bf_claim *claim = NULL;
		struct bf_err err = { 0 };

		assert_int_equal(bf_claim_parse(bytes, n, "x", NULL, 0, &opts, &claim, &err),
				 BF_E_IMAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_go_to_their_physical_address),
		cmocka_unit_test(neighbours_in_memory_become_one_segment),
		cmocka_unit_test(what_is_no_linked_firmware_is_refused),
		cmocka_unit_test(loads_outside_file_or_memory_are_refused),
		cmocka_unit_test(elf_headers_are_never_firmware),
		cmocka_unit_test(what_lies_between_headers_and_first_section_must_be_padding),
		cmocka_unit_test(bytes_of_the_file_are_loaded_once),
		cmocka_unit_test(many_headers_and_sections_take_linear_time),
		cmocka_unit_test(a_cut_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
