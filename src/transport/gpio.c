/* SPDX-License-Identifier: MIT */
/* Lines of this computer through libgpiod, the only user of its header. */
#include "bmsflash/gpio.h"

#if BF_WITH_GPIO

#include <errno.h>
#include <gpiod.h>
#include <stdio.h>
#include <string.h>

#define CONSUMER "bmsflash"

struct bf_gpio {
	struct gpiod_chip *chip;
	struct gpiod_line *lines[BF_GPIO_LINES];
	bool taken[BF_GPIO_LINES];
	char name[64];
	char names[BF_GPIO_LINES][32];
};

static struct gpiod_line *find_line(struct gpiod_chip *chip, const char *name)
{
	char *end;
	unsigned long n = strtoul(name, &end, 10);

	if (name[0] && !*end)
		return n < gpiod_chip_num_lines(chip) ? gpiod_chip_get_line(chip, (unsigned)n)
						      : NULL;
	return gpiod_chip_find_line(chip, name);
}

enum bf_rc bf_gpio_open(const char *chip, const char *const *lines, size_t n, struct bf_gpio **ret,
			struct bf_err *err)
{
	struct bf_gpio *g = calloc(1, sizeof(*g));

	*ret = NULL;
	if (!g)
		abort();
	snprintf(g->name, sizeof(g->name), "%s", chip);
	g->chip = n <= BF_GPIO_LINES ? gpiod_chip_open_lookup(chip) : NULL;
	if (!g->chip) {
		bf_fail_os(err, errno == EBUSY ? BF_E_BUSY : BF_E_IFACE, errno,
			   "opening the GPIO chip '%s'", chip);
		bf_likely(
			err,
			"the user may not open it: it belongs to the group 'gpio' on many systems");
		bf_gpio_close(g);
		return err->rc;
	}
	for (size_t i = 0; i < n; i++) {
		snprintf(g->names[i], sizeof(g->names[i]), "%s", lines[i]);
		g->lines[i] = find_line(g->chip, lines[i]);
		if (g->lines[i])
			continue;
		bf_fail(err, BF_E_IFACE, "The GPIO chip '%s' has no line '%s'.", chip, lines[i]);
		bf_next(err, "gpioinfo");
		bf_gpio_close(g);
		return err->rc;
	}
	*ret = g;
	return BF_OK;
}

/* Taken when it is set first, with that level: a pin does not move before. */
enum bf_rc bf_gpio_set(struct bf_gpio *g, size_t line, bool high, struct bf_err *err)
{
	int rc;

	if (line >= BF_GPIO_LINES || !g->lines[line])
		return bf_fail(err, BF_E_INTERNAL, "GPIO line %zu", line);
	rc = g->taken[line] ? gpiod_line_set_value(g->lines[line], high)
			    : gpiod_line_request_output(g->lines[line], CONSUMER, high);
	if (rc)
		return bf_fail_os(err, errno == EBUSY ? BF_E_BUSY : BF_E_IFACE, errno,
				  "setting line '%s' of '%s'", g->names[line], g->name);
	g->taken[line] = true;
	return BF_OK;
}

struct bf_gpio *bf_gpio_close(struct bf_gpio *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < BF_GPIO_LINES; i++) {
		if (g->taken[i])
			gpiod_line_release(g->lines[i]);
	}
	if (g->chip)
		gpiod_chip_close(g->chip);
	free(g);
	return NULL;
}

#else

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

#endif
