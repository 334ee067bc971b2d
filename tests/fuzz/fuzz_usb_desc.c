/* SPDX-License-Identifier: MIT */
/* Descriptors and strings as a device may send them: nothing is read outside, and text is harmless. */
#include "fuzz.h"

#include <string.h>

#include "bmsflash/text.h"
#include "transport/usb_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BF_AUTO_MEM uint8_t *copy = malloc(size ? size : 1); /* so that one byte too far is found */
	char text[64], again[64];
	const uint8_t *config;
	size_t len = 0;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	(void)bf_usb_dfu_of(copy, size);
	config = bf_usb_find_config(copy, size, size ? copy[0] & 3 : 0, &len);
	FUZZ_CHECK(!config || (config >= copy && len >= 9 && config + len <= copy + size));
	if (config)
		(void)bf_usb_dfu_of(config, len);
	if (bf_usb_utf8(copy, size, text, sizeof(text))) {
		FUZZ_CHECK(memchr(text, 0, sizeof(text)));
		bf_text_escape(again, sizeof(again), text);
		FUZZ_CHECK(strcmp(text, again) == 0);
	}
	/* What sysfs hands on raw. */
	bf_text_escape_n(text, sizeof(text), (const char *)copy, size);
	bf_text_escape(again, sizeof(again), text);
	FUZZ_CHECK(strcmp(text, again) == 0 && !strpbrk(text, "\n\r\033\t"));
	return 0;
}
