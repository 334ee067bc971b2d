/* SPDX-License-Identifier: MIT */
#include "bmsflash/gpio.h"

enum bf_rc bf_gpio_open(const char *chip, const char *const *lines, size_t n, struct bf_gpio **ret,
			struct bf_err *err)
{
	(void)lines, (void)n;
	*ret = NULL;
	return bf_fail(err, BF_E_UNSUPPORTED, "'%s': this bmsflash was built without GPIO", chip);
}

enum bf_rc bf_gpio_set(struct bf_gpio *g, size_t line, bool high, struct bf_err *err)
{
	(void)g, (void)line, (void)high;
	return bf_fail(err, BF_E_UNSUPPORTED, "this bmsflash was built without GPIO");
}

struct bf_gpio *bf_gpio_close(struct bf_gpio *g)
{
	(void)g;
	return NULL;
}
