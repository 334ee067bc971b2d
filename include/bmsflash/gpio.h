/* SPDX-License-Identifier: MIT */
/* Lines of this computer that reach a pack's reset and boot pins. Values are levels: true is high. */
#pragma once

#include "bmsflash/err.h"

#define BF_GPIO_LINES 8 /* of one chip at a time */

struct bf_gpio;

/* chip: "gpiochip0" or a path; lines: numbers, or names that the chip has. They become outputs when they are set first.
 * BF_E_UNSUPPORTED: built without; BF_E_IFACE, BF_E_BUSY: as of an interface. */
enum bf_rc bf_gpio_open(const char *chip, const char *const *lines, size_t n, struct bf_gpio **ret,
			struct bf_err *err);
enum bf_rc bf_gpio_set(struct bf_gpio *g, size_t line, bool high, struct bf_err *err);
struct bf_gpio *bf_gpio_close(struct bf_gpio *g); /* takes NULL, returns NULL */
