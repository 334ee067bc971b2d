/* SPDX-License-Identifier: MIT */
#include "bmsflash/entry.h"

#include <string.h>

#include "bmsflash/gpio.h"

#define WRITE_LIMIT BF_SEC(5)

static enum bf_rc pause_for(const struct bf_proto_env *env, bf_time time, struct bf_err *err)
{
	struct bf_clock *clock = env->transport->clock;

	if (time && !bf_clock_until(clock, bf_in(clock, time)))
		return bf_fail(err, BF_E_INTERRUPTED, "stopped by the user");
	return BF_OK;
}

/* ---- lines of the serial port ---- */

/* What stands side by side is set at once: circuits that make reset and boot pin of both lines see no step between. */
struct moves {
	unsigned mask, on;
};

static enum bf_rc move(const struct bf_proto_env *env, struct moves *m, struct bf_err *err)
{
	const struct moves now = *m;

	*m = (struct moves){ 0 };
	return now.mask ? bf_stream_set_modem(env->transport, now.mask, now.on, err) : BF_OK;
}

static enum bf_rc add_move(const struct bf_proto_env *env, struct moves *m,
			   const struct bf_pin_step *step, struct bf_err *err)
{
	unsigned line = strcmp(step->name, "rts") == 0 ? BF_MODEM_RTS : BF_MODEM_DTR;

	if (m->mask & line && move(env, m, err))
		return err->rc;
	m->mask |= line;
	m->on |= step->on ? line : 0;
	return BF_OK;
}

static enum bf_rc run_lines(const struct bf_proto_env *env, const char *pattern, struct bf_err *err)
{
	struct moves moves = { 0 };
	struct bf_pin_step step;
	const char *fault;
	enum bf_rc rc = BF_OK;

	while (!rc && bf_pin_next(&pattern, &step, &fault)) {
		if (step.what == BF_PIN_SET)
			rc = add_move(env, &moves, &step, err);
		else
			rc = move(env, &moves, err);
		if (!rc && step.what == BF_PIN_WAIT)
			rc = pause_for(env, step.time, err);
		if (!rc && step.what == BF_PIN_BREAK)
			rc = bf_stream_send_break(env->transport, step.time, err);
	}
	if (!rc)
		rc = move(env, &moves, err);
	return rc ? bf_while(err, "moving the lines of '%s'", env->transport->name) : BF_OK;
}

/* ---- lines of this computer ---- */

struct pins {
	char names[BF_GPIO_LINES][16], lines[BF_GPIO_LINES][32];
	const char *rows[BF_GPIO_LINES];
	size_t n;
};

static void read_pins(const char *text, struct pins *ret)
{
	const char *fault;

	*ret = (struct pins){ 0 };
	while (ret->n < BF_GPIO_LINES &&
	       bf_pin_name_next(&text, ret->names[ret->n], ret->lines[ret->n], &fault)) {
		ret->rows[ret->n] = ret->lines[ret->n];
		ret->n++;
	}
}

static enum bf_rc set_pin(struct bf_gpio *g, const struct pins *pins, const struct bf_pin_step *s,
			  struct bf_err *err)
{
	for (size_t i = 0; i < pins->n; i++) {
		if (strcmp(pins->names[i], s->name) == 0)
			return bf_gpio_set(g, i, s->on, err);
	}
	return bf_fail(err, BF_E_USAGE, "the profile names no line '%s'", s->name);
}

static enum bf_rc run_gpio(const struct bf_proto_env *env, const char *pattern, struct bf_err *err)
{
	const struct bf_entry_plan *plan = &env->profile->entry;
	struct bf_pin_step step;
	struct bf_gpio *g = NULL;
	struct pins pins;
	const char *fault;
	enum bf_rc rc;

	read_pins(plan->gpio_lines, &pins);
	rc = bf_gpio_open(plan->gpio_chip, pins.rows, pins.n, &g, err);
	while (!rc && bf_pin_next(&pattern, &step, &fault))
		rc = step.what == BF_PIN_SET ? set_pin(g, &pins, &step, err)
					     : pause_for(env, step.time, err);
	bf_gpio_close(g);
	return rc ? bf_while(err, "moving lines of '%s'", plan->gpio_chip) : BF_OK;
}

/* ---- by hand ---- */

static enum bf_rc ask(const struct bf_proto_env *env, const char *sentence, struct bf_err *err)
{
	if (env->ask_user)
		return env->ask_user(env->ask_ctx, sentence, err);
	if (env->alive)
		env->alive(env->alive_ctx, sentence);
	return bf_fail(err, BF_E_UNSUPPORTED, "nobody can be asked: %s", sentence);
}

/* ---- text on a console ---- */

/* All that is said is looked through for the sequence, wherever its parts are divided. */
static enum bf_rc await_bytes(const struct bf_proto_env *env, const uint8_t *want, size_t n,
			      struct bf_err *err)
{
	struct bf_transport *t = env->transport;
	bf_time limit = BF_SEC((bf_time)env->profile->entry.ready_limit_s);
	bf_time deadline = bf_in(t->clock, limit);
	uint8_t seen[48] = { 0 }, byte;
	size_t got, have = 0;

	while (have < n || memcmp(seen, want, n) != 0) {
		if (t->ops->stream->read(t, &byte, 1, &got, deadline, err))
			return bf_while(err, "waiting for what shows that the bootloader is ready");
		if (have == n)
			memmove(seen, seen + 1, n - 1);
		else
			have++;
		seen[have - 1] = byte;
	}
	return BF_OK;
}

static enum bf_rc say_text(const struct bf_proto_env *env, struct bf_err *err)
{
	const struct bf_entry_plan *plan = &env->profile->entry;
	struct bf_transport *t = env->transport;
	uint8_t text[sizeof(plan->text)], ready[sizeof(plan->ready)];
	size_t len, n;

	if (!t->ops->stream)
		return bf_fail(err, BF_E_UNSUPPORTED, "'%s' is no serial line", t->name);
	if (!bf_escaped(plan->text, text, sizeof(text), &len) ||
	    !bf_escaped(plan->ready, ready, sizeof(ready), &n))
		return bf_fail(err, BF_E_USAGE, "text in [entry] has a '\\' that means nothing");
	t->ops->stream->discard(t);
	if (t->ops->stream->write(t, text, len, bf_in(t->clock, WRITE_LIMIT), err))
		return bf_while(err, "sending the text that enters the bootloader");
	return n ? await_bytes(env, ready, n, err) : BF_OK;
}

/* ---- one way ---- */

enum bf_rc bf_entry_step(enum bf_entry_how how, const struct bf_proto_env *env, struct bf_err *err)
{
	const struct bf_entry_plan *plan = &env->profile->entry;

	switch (how) {
	case BF_ENTER_LINES:
		return run_lines(env, plan->lines, err);
	case BF_ENTER_GPIO:
		return run_gpio(env, plan->gpio, err);
	case BF_ENTER_HAND:
		return ask(env, plan->hand, err);
	case BF_ENTER_WINDOW:
		return ask(env, "switch the pack off, then on", err);
	case BF_ENTER_TEXT:
		return say_text(env, err);
	case BF_ENTER_REQUEST:
	case BF_ENTER_THERE:
	case BF_ENTER_COUNT:
		break;
	}
	return BF_OK;
}

bool bf_entry_has_leave(const struct bf_entry_plan *plan)
{
	return plan->lines_leave[0] || plan->gpio_leave[0] || plan->hand_leave[0];
}

enum bf_rc bf_entry_leave(const struct bf_proto_env *env, struct bf_err *err)
{
	const struct bf_entry_plan *plan = &env->profile->entry;

	if (plan->lines_leave[0] && run_lines(env, plan->lines_leave, err))
		return err->rc;
	if (plan->gpio_leave[0] && run_gpio(env, plan->gpio_leave, err))
		return err->rc;
	if (plan->hand_leave[0] && !plan->lines_leave[0] && !plan->gpio_leave[0])
		return ask(env, plan->hand_leave, err);
	return BF_OK;
}

/* ---- the line ---- */

static enum bf_parity parity_of(char letter)
{
	if (letter == 'E')
		return BF_PARITY_EVEN;
	return letter == 'O' ? BF_PARITY_ODD : BF_PARITY_NONE;
}

struct bf_line bf_line_of_profile(const struct bf_profile *p, uint32_t baud)
{
	static const enum bf_rs485_mode modes[] = {
		[BF_DIRECTION_AUTO] = BF_RS485_AUTO,
		[BF_DIRECTION_KERNEL] = BF_RS485_KERNEL,
		[BF_DIRECTION_RTS] = BF_RS485_RTS,
		[BF_DIRECTION_ADAPTER] = BF_RS485_ADAPTER,
	};

	return (struct bf_line){
		.baud = baud,
		.parity = parity_of(p->parity),
		.data_bits = p->data_bits,
		.stop_bits = p->stop_bits ? p->stop_bits : 1,
		.guard_us = p->guard_us,
		.rs485 = modes[p->direction],
		.rts_active_low = p->rts_active_low,
	};
}

void bf_role_lay(struct bf_profile *p, const struct bf_role_line *line)
{
	if (!line)
		return;
	if (line->baud)
		p->baud = line->baud;
	if (line->parity)
		p->parity = line->parity;
	if (line->data_bits)
		p->data_bits = line->data_bits;
	if (line->stop_bits)
		p->stop_bits = line->stop_bits;
}

enum bf_rc bf_line_set(struct bf_transport *t, const struct bf_line *line, struct bf_err *err)
{
	const struct bf_stream_ops *s = t->ops->stream;

	if (s->drain(t, bf_in(t->clock, WRITE_LIMIT), err) || s->set_line(t, line, err))
		return bf_while(err, "setting the line of '%s'", t->name);
	s->discard(t);
	return BF_OK;
}

enum bf_rc bf_line_take(struct bf_proto *p, struct bf_err *err)
{
	struct bf_transport *t = p->env.transport;
	struct bf_profile own = *p->env.profile;
	struct bf_line_report now = { 0 };
	struct bf_line line;

	if (!t->ops->stream || p->env.joined)
		return BF_OK;
	bf_role_lay(&own, p->ops->line);
	t->ops->stream->report(t, &now);
	line = bf_line_of_profile(&own, now.real_baud ? now.real_baud : own.baud);
	return bf_line_set(t, &line, err);
}
