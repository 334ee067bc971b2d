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

/* Without sections nobody can say where the firmware begins: nothing of such a segment is taken. */
static void elf_headers_are_never_firmware(void **state)
{
	const struct load from_0 = { 0, 0x1000, 100, 100 };

	(void)state;
	elf_refused(2, &from_0, 1, "holds no data");
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
		cmocka_unit_test(a_cut_header_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
