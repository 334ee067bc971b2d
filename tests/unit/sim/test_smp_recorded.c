/* SPDX-License-Identifier: MIT */
/* The pack answers what was asked of MCUboot's and Zephyr's own code as they answered, byte for byte. */
#include "smp_host.h"

/* "\x06\x09ABC" */
static size_t unescape(uint8_t *dst, const char *text)
{
	size_t n = 0, len;
	uint8_t byte;

	for (; *text && *text != '\n'; text++) {
		char hex[3] = { 0 };

		if (*text != '\\') {
			dst[n++] = (uint8_t)*text;
			continue;
		}
		memcpy(hex, text + 2, 2);
		assert_true(bf_unhex(hex, &byte, 1, &len));
		dst[n++] = byte;
		text += 3;
	}
	return n;
}

/* The only number in all of them that a pack with other pages has otherwise: the largest image. */
static void compare(struct smp_host *h, const uint8_t *want, size_t len, unsigned line)
{
	static const uint8_t theirs[] = { 0x1a, 0x00, 0x07, 0xe0, 0x00 };
	static const uint8_t ours[] = { 0x1a, 0x00, 0x07, 0xd8, 0x00 };
	struct smp_host other = { 0 };
	uint8_t *at;

	if (h->rx_len == len && memcmp(h->rx, want, len) == 0)
		return;
	memcpy(other.rx, want, len);
	other.rx_len = len;
	smp_find(&other);
	smp_find(h);
	at = memmem(other.packet, other.packet_len, theirs, sizeof(theirs));
	if (!at || other.packet_len != h->packet_len)
		fail_msg("line %u: another answer: %.*s", line, (int)h->rx_len, (char *)h->rx);
	memcpy(at, ours, sizeof(ours));
	assert_memory_equal(h->packet, other.packet, other.packet_len);
}

static void play(const char *name, const char *address)
{
	static uint8_t want[8192];
	static char text[4096];
	struct smp_host *h = calloc(1, sizeof(*h));
	size_t want_len = 0;
	unsigned line = 0, answers = 0;
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), TEST_DATA "/smp/%s.txt", name);
	f = fopen(path, "r");
	assert_non_null(f);
	smp_open(h, address);
	while (fgets(text, sizeof(text), f)) {
		line++;
		if (text[0] == '<') {
			want_len += unescape(want + want_len, text + 2);
			continue;
		}
		if (want_len) {
			smp_hear(h, want_len, BF_SEC(10));
			compare(h, want, want_len, line);
			answers++;
			/* Whoever recorded it gave a restart its time, too. */
			if (h->rx_len < 30)
				smp_wait(h, BF_SEC(20));
			want_len = h->rx_len = 0;
		}
		smp_put(h, want, unescape(want, text + 2));
	}
	smp_hear(h, want_len, BF_SEC(10));
	compare(h, want, want_len, line);
	assert_true(answers > 4);
	fclose(f);
	smp_close(h);
	free(h);
}

static void serial_recovery_is_answered_for_as_mcuboot_does(void **state)
{
	(void)state;
	play("recovery", "sim:model=recovery,version=none,entry=always");
}

static void a_test_boot_and_its_revert_are_listed_as_mcuboot_does(void **state)
{
	(void)state;
	play("slots-test-revert", "sim:model=recovery,version=1.4.0,entry=always,smp=direct");
}

static void a_bad_signature_is_taken_and_never_listed(void **state)
{
	(void)state;
	play("bad-signature", "sim:model=recovery,version=none,entry=always");
}

static void what_serial_recovery_does_not_know_is_refused_as_mcuboot_does(void **state)
{
	(void)state;
	play("edges", "sim:model=recovery,version=none,entry=always");
}

static void the_firmware_answers_as_zephyr_does(void **state)
{
	(void)state;
	play("app-two-slots", "sim:model=app,version=1.4.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serial_recovery_is_answered_for_as_mcuboot_does),
		cmocka_unit_test(a_test_boot_and_its_revert_are_listed_as_mcuboot_does),
		cmocka_unit_test(a_bad_signature_is_taken_and_never_listed),
		cmocka_unit_test(what_serial_recovery_does_not_know_is_refused_as_mcuboot_does),
		cmocka_unit_test(the_firmware_answers_as_zephyr_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
