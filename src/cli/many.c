/* SPDX-License-Identifier: MIT */
/* Several packs in one call: who runs when, what they say, and how it ended in all. */
#include "many.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmsflash/file.h"
#include "bmsflash/json.h"
#include "bmsflash/text.h"
#include "screen.h"
#include "terminal.h"

#define REDRAW    BF_MS(200)
#define EVENT_MAX ((size_t)1 << 22) /* of an event; a device with many regions has long ones */

bool bf_opts_many(const struct bf_opts *o)
{
	return (o->nodes.n > 1 || (o->ifaces[0] && o->ifaces[1])) && !o->help && !o->version;
}

/* ---- what packs cannot share ---- */

static bool has_place(const char *name, const char *places)
{
	for (const char *p = name; (p = strchr(p, '%')); p++) {
		if (p[1] && strchr(places, p[1]))
			return true;
	}
	return false;
}

static enum bf_rc check_file(const struct bf_opts *o, const char *option, const char *name,
			     bool serial, struct bf_err *err)
{
	bool nodes = o->nodes.n > 1, ifaces = o->ifaces[1] != NULL;

	if (!name)
		return BF_OK;
	if (!serial && has_place(name, "s"))
		return bf_fail(err, BF_E_USAGE,
			       "--%s begins before the serial number is known: %%i is the "
			       "interface, %%n the node",
			       option);
	if (serial && has_place(name, "s"))
		return BF_OK;
	if ((!ifaces || has_place(name, "i")) && (!nodes || has_place(name, "n")))
		return BF_OK;
	bf_fail(err, BF_E_USAGE, "--%s '%s' would be one file for several packs", option, name);
	bf_do(err, "put %s%s%s into its name", ifaces ? "%i (interface)" : "",
	      ifaces && nodes ? " and " : "", nodes ? "%n (node)" : "");
	return err->rc;
}

/* A record takes the lines of all packs of one interface. */
static enum bf_rc check_record(const struct bf_opts *o, struct bf_err *err)
{
	if (!o->record || has_place(o->record, "ins"))
		return BF_OK;
	bf_fail(err, BF_E_USAGE, "--record '%s' would be one file for several packs", o->record);
	bf_do(err, "put %%i (interface) or %%s (serial number) into its name");
	return err->rc;
}

static enum bf_rc check_ifaces(const struct bf_opts *o, struct bf_err *err)
{
	char a[PATH_MAX] = "", b[PATH_MAX] = "", dev[PATH_MAX];

	for (size_t i = 1; o->ifaces[i]; i++) {
		for (size_t k = 0; k < i; k++) {
			const char *names[2] = { o->ifaces[i], o->ifaces[k] };
			char *real[2] = { a, b };

			for (size_t n = 0; n < 2; n++) {
				snprintf(dev, sizeof(dev), names[n][0] == '/' ? "%s" : "/dev/%s",
					 names[n]);
				if (!realpath(dev, real[n]))
					snprintf(real[n], PATH_MAX, "%s", dev);
			}
			if (strcmp(a, b) == 0)
				return bf_fail(err, BF_E_USAGE,
					       "'%s' and '%s' are the same interface", names[1],
					       names[0]);
		}
	}
	return BF_OK;
}

enum bf_rc bf_many_check(const struct bf_opts *o, struct bf_err *err)
{
	if (o->doctor)
		return bf_fail(err, BF_E_USAGE, "--doctor looks at one interface, or at all");
	if (o->from)
		return bf_fail(err, BF_E_USAGE,
			       "an archive is of one pack: --from goes with one interface and one "
			       "node");
	if (o->expect_serial && strcmp(o->expect_serial, "-") != 0)
		return bf_fail(err, BF_E_USAGE,
			       "one serial number cannot be that of several packs; "
			       "--expect-serial - reads one for each from standard input");
	if (check_ifaces(o, err) || check_file(o, "output", o->output, true, err) ||
	    check_file(o, "trace", o->trace, false, err) || check_record(o, err))
		return err->rc;
	return BF_OK;
}

/* ---- the packs ---- */

const char *bf_many_name(const struct bf_many *m, const struct bf_many_pack *p, char *dst,
			 size_t cap)
{
	if (!p->has_node)
		snprintf(dst, cap, "%s", p->iface);
	else if (m->n_lanes == 1)
		snprintf(dst, cap, "node %lld", (long long)p->node);
	else
		snprintf(dst, cap, "%s node %lld", p->iface, (long long)p->node);
	return dst;
}

static void lay_out(struct bf_many *m, char *const *labels)
{
	const struct bf_opts *o = m->opts;
	size_t nodes = o->nodes.n ? o->nodes.n : 1;

	while (o->ifaces[m->n_lanes])
		m->n_lanes++;
	m->n = m->n_lanes * nodes;
	m->packs = calloc(m->n, sizeof(*m->packs));
	if (!m->packs)
		abort();
	for (size_t i = 0; i < m->n; i++) {
		struct bf_many_pack *p = &m->packs[i];

		p->lane = i / nodes;
		p->iface = o->ifaces[p->lane];
		p->has_node = o->nodes.n > 0;
		p->node = p->has_node ? o->nodes.v[i % nodes] : -1;
		p->label = labels ? labels[i] : NULL;
		m->lanes[p->lane] =
			(struct bf_lane){ .iface = p->iface, .events = -1, .answers = -1 };
	}
}

/* %i, %n; %s stays for the engine. */
static char *fill_in(const char *name, const struct bf_many_pack *p)
{
	char iface[64], node[24], *text = NULL;
	const char *base = strrchr(p->iface, '/');
	size_t len = 0;
	FILE *to;

	if (!name)
		return NULL;
	snprintf(iface, sizeof(iface), "%s", base ? base + 1 : p->iface);
	bf_file_name(iface, "-.");
	snprintf(node, sizeof(node), "%lld", (long long)p->node);
	to = open_memstream(&text, &len);
	if (!to)
		abort();
	for (; *name; name++) {
		if (name[0] == '%' && name[1] == 'i')
			fputs(iface, to), name++;
		else if (name[0] == '%' && name[1] == 'n' && p->has_node)
			fputs(node, to), name++;
		else
			fputc(*name, to);
	}
	fclose(to);
	return text;
}

static struct bf_one part_of(const struct bf_many *m, const struct bf_many_pack *p)
{
	return (struct bf_one){
		.iface = p->iface,
		.label = p->label,
		.node = p->node,
		.output = fill_in(m->opts->output, p),
		.trace = fill_in(m->opts->trace, p),
		.record = fill_in(m->opts->record, p),
		.asks = m->asks,
	};
}

/* ---- processes ---- */

/* Ctrl-C goes to the parent alone, which passes it on: nobody is asked twice by one key. */
static void be_child(struct bf_many *m, size_t pack, const int events[2], const int answers[2])
{
	struct bf_one one = part_of(m, &m->packs[pack]);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (size_t i = 0; i < m->n_lanes; i++) {
		if (m->lanes[i].pid) {
			close(m->lanes[i].events);
			close(m->lanes[i].answers);
		}
	}
	dup2(events[1], STDOUT_FILENO);
	dup2(answers[0], STDIN_FILENO);
	for (int i = 0; i < 2; i++) {
		close(events[i]);
		close(answers[i]);
	}
	exit(m->run_one(m->ctx, &one));
}

static void end_of_pack(struct bf_many *m, struct bf_many_pack *p)
{
	p->stage = BF_PACK_ENDED;
	p->percent = 100;
	m->ended++;
	m->failed += p->status != 0;
	if (!m->json)
		bf_many_show_end(m, p);
}

/* A pack that has no result of its own: its process did not come to that, or was never begun. */
static void give_result(struct bf_many *m, struct bf_many_pack *p, enum bf_rc rc,
			enum bf_state state, const char *cause)
{
	struct bf_whose whose = *m->whose;
	struct bf_facts *facts = calloc(1, sizeof(*facts));
	struct bf_outcome o = { .rc = rc, .state = state };

	if (!facts)
		abort();
	facts->job = m->opts->command;
	whose.iface = p->iface;
	whose.node = p->node;
	whose.has_node = p->has_node;
	bf_err_init(&o.err);
	bf_fail(&o.err, rc, "%s", cause);
	snprintf(o.sentence, sizeof(o.sentence), "%s", cause);
	p->result = bf_result_json(&whose, facts, &o, bf_wall(m->clock));
	p->rc = rc;
	p->state = state;
	p->status = bf_rc_info(rc)->exit_status;
	free(facts);
	if (m->json) {
		BF_AUTO_MEM char *line = bf_json_line(p->result);

		fprintf(m->json, "%s\n", line);
		fflush(m->json);
	}
	end_of_pack(m, p);
}

static void begin(struct bf_many *m, struct bf_lane *lane, size_t pack)
{
	struct bf_many_pack *p = &m->packs[pack];
	int events[2] = { -1, -1 }, answers[2] = { -1, -1 };

	fflush(NULL);
	lane->pack = pack;
	p->stage = BF_PACK_RUNS;
	if (pipe2(events, O_CLOEXEC) || pipe2(answers, O_CLOEXEC) || (lane->pid = fork()) < 0) {
		lane->pid = 0;
		for (int i = 0; i < 2; i++) {
			if (events[i] >= 0)
				close(events[i]);
			if (answers[i] >= 0)
				close(answers[i]);
		}
		give_result(m, p, BF_E_INTERNAL, BF_STATE_UNTOUCHED,
			    "no process for this pack could be started");
		return;
	}
	if (!lane->pid)
		be_child(m, pack, events, answers);
	close(events[1]);
	close(answers[0]);
	lane->events = events[0];
	lane->answers = answers[1];
	lane->len = 0;
	fcntl(lane->events, F_SETFL, O_NONBLOCK);
}

static bool may_begin(const struct bf_many *m)
{
	return !m->stops && m->answer != BF_ANSWER_NO &&
	       !(m->opts->max_failures && m->failed >= (size_t)m->opts->max_failures);
}

static void begin_next(struct bf_many *m, struct bf_lane *lane)
{
	for (size_t i = 0; i < m->n && !lane->pid && may_begin(m); i++) {
		if (&m->lanes[m->packs[i].lane] == lane && m->packs[i].stage == BF_PACK_WAITS)
			begin(m, lane, i);
	}
}

/* ---- events ---- */

static enum bf_rc rc_named(const char *name)
{
	for (int i = 0; name && i < BF_RC_COUNT; i++) {
		if (strcmp(bf_rc_info((enum bf_rc)i)->name, name) == 0)
			return (enum bf_rc)i;
	}
	return name ? BF_E_INTERNAL : BF_OK;
}

static enum bf_state state_named(const char *name)
{
	for (int i = 0; name && i <= BF_STATE_UNKNOWN; i++) {
		if (strcmp(bf_state_name((enum bf_state)i), name) == 0)
			return (enum bf_state)i;
	}
	return BF_STATE_UNTOUCHED;
}

static void take_plan(struct bf_many *m, struct bf_many_pack *p, const struct bf_json *j)
{
	if (!m->asks || !bf_json_bool(j, "counter_will_rise", false))
		return;
	p->may_ask = true;
	if (m->asked)
		return;
	m->asked = true;
	bf_many_show_warning(m, NULL, "After this update packs cannot go back to older firmware.");
	bf_text_close_line(m->text);
	bf_terminal_ask(m->terminal, "Go on with all packs?");
}

static void take_event(struct bf_many *m, struct bf_many_pack *p, const char *line, size_t len)
{
	BF_AUTO(bf_json) *j = NULL;
	const char *event, *text;
	struct bf_err unused;

	bf_err_init(&unused);
	if (bf_json_parse(line, len, &j, &unused))
		return;
	event = bf_json_str(j, "event");
	event = event ? event : "";
	if (strcmp(event, "result") == 0) {
		p->rc = rc_named(bf_json_str(bf_json_get(j, "error"), "code"));
		p->state = state_named(bf_json_str(j, "state"));
		p->result = bf_steal(&j);
	} else if (strcmp(event, "progress") == 0) {
		p->percent = bf_json_real(j, "percent", p->percent);
		if (p->percent >= p->shown + 10)
			bf_many_show_step(m, p);
	} else if (strcmp(event, "phase") == 0) {
		text = bf_json_str(j, "activity");
		if (text && strcmp(text, p->activity) != 0) {
			snprintf(p->activity, sizeof(p->activity), "%s", text);
			p->writing_seen |= strcmp(text, "write") == 0;
			bf_many_show_step(m, p);
		}
	} else if (strcmp(event, "device") == 0) {
		text = bf_json_str(j, "serial");
		bf_text_escape(p->serial, sizeof(p->serial), text ? text : "");
	} else if (strcmp(event, "plan") == 0) {
		take_plan(m, p, j);
	} else if (strcmp(event, "warning") == 0) {
		text = bf_json_str(j, "text");
		bf_many_show_warning(m, p, text ? text : "");
	}
}

static void take_lines(struct bf_many *m, struct bf_lane *lane)
{
	struct bf_many_pack *p = &m->packs[lane->pack];
	char *at = lane->line, *end;

	while ((end = memchr(at, '\n', lane->len - (size_t)(at - lane->line)))) {
		size_t len = (size_t)(end - at);

		if (m->json && len) {
			fwrite(at, 1, len + 1, m->json);
			fflush(m->json);
		}
		take_event(m, p, at, len);
		at = end + 1;
	}
	lane->len -= (size_t)(at - lane->line);
	memmove(lane->line, at, lane->len);
}

/* False: its end of the pipe is closed. */
static bool take_bytes(struct bf_many *m, struct bf_lane *lane)
{
	ssize_t n;

	if (lane->cap - lane->len < 4096 && lane->cap < EVENT_MAX) {
		lane->cap = lane->cap ? 2 * lane->cap : 65536;
		lane->line = realloc(lane->line, lane->cap);
		if (!lane->line)
			abort();
	}
	if (lane->len == lane->cap)
		lane->len = 0; /* no event of ours */
	n = read(lane->events, lane->line + lane->len, lane->cap - lane->len);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	lane->len += (size_t)n;
	take_lines(m, lane);
	return n > 0;
}

static void end_lane(struct bf_many *m, struct bf_lane *lane)
{
	struct bf_many_pack *p = &m->packs[lane->pack];
	int status = 0;

	close(lane->events);
	close(lane->answers);
	while (waitpid(lane->pid, &status, 0) < 0 && errno == EINTR)
		;
	lane->pid = 0;
	if (p->result) {
		p->status = (int)bf_json_int(p->result, "status", 1);
		end_of_pack(m, p);
		return;
	}
	give_result(m, p, p->writing_seen ? BF_E_LINK : BF_E_INTERNAL,
		    p->writing_seen ? BF_STATE_UNKNOWN : BF_STATE_UNTOUCHED,
		    WIFSIGNALED(status) ? "its process was killed"
					: "its process ended without a result");
}

/* ---- the user ---- */

static void pass_on(struct bf_many *m)
{
	unsigned asked = (unsigned)m->clock->cancelled + m->clock->ended;

	if (asked <= m->stops)
		return;
	m->stops = asked;
	for (size_t i = 0; i < m->n_lanes; i++) {
		if (m->lanes[i].pid)
			kill(m->lanes[i].pid, SIGTERM);
	}
	if (!m->json)
		bf_many_show_warning(m, NULL,
				     asked > 1 ? "Stopping now."
					       : "Stopping: no further pack is begun; those that "
						 "are written stop at the next safe point.");
}

static void ask(struct bf_many *m)
{
	if (m->asked && m->answer == BF_ANSWER_PENDING)
		m->answer = bf_terminal_answer(m->terminal, false);
	if (m->answer == BF_ANSWER_PENDING)
		return;
	for (size_t i = 0; i < m->n_lanes; i++) {
		struct bf_many_pack *p = &m->packs[m->lanes[i].pack];

		if (!m->lanes[i].pid || !p->may_ask)
			continue;
		p->may_ask = false;
		(void)!write(m->lanes[i].answers, m->answer == BF_ANSWER_YES ? "y\n" : "n\n", 2);
	}
}

static bool is_question_open(const struct bf_many *m)
{
	return m->asked && m->answer == BF_ANSWER_PENDING;
}

/* ---- the loop ---- */

static void wait_for_lanes(struct bf_many *m, struct bf_clock *clock)
{
	struct pollfd fds[BF_LANES_MAX + 1];
	size_t n = 0, of[BF_LANES_MAX];

	for (size_t i = 0; i < m->n_lanes; i++) {
		if (!m->lanes[i].pid)
			continue;
		of[n] = i;
		fds[n++] = (struct pollfd){ .fd = m->lanes[i].events, .events = POLLIN };
	}
	if (is_question_open(m))
		fds[n] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	(void)bf_clock_wait(clock, fds, n + is_question_open(m), bf_in(clock, REDRAW));
	for (size_t k = 0; k < n; k++) {
		struct bf_lane *lane = &m->lanes[of[k]];

		if (fds[k].revents && !take_bytes(m, lane))
			end_lane(m, lane);
	}
}

static bool is_busy(const struct bf_many *m)
{
	for (size_t i = 0; i < m->n_lanes; i++) {
		if (m->lanes[i].pid)
			return true;
	}
	return false;
}

static void skip_rest(struct bf_many *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->packs[i].stage == BF_PACK_WAITS)
			give_result(m, &m->packs[i], BF_E_INTERRUPTED, BF_STATE_UNTOUCHED,
				    m->stops || m->answer == BF_ANSWER_NO
					    ? "not begun: the run was stopped"
					    : "not begun: too many packs before it failed");
	}
}

static void work(struct bf_many *m)
{
	/* After the second signal the clock ends each wait at once; the packs still have their say. */
	BF_AUTO(bf_clock) *patient = bf_clock_real_new(-1);

	bf_clock_hold(m->clock);
	for (size_t i = 0; i < m->n_lanes; i++)
		begin_next(m, &m->lanes[i]);
	while (is_busy(m)) {
		wait_for_lanes(m, m->clock->ended ? patient : m->clock);
		pass_on(m);
		ask(m);
		for (size_t i = 0; i < m->n_lanes; i++)
			begin_next(m, &m->lanes[i]);
		if (!m->json && !is_question_open(m))
			bf_many_show_live(m);
	}
	bf_clock_release(m->clock);
	skip_rest(m);
}

/* ---- the end ---- */

/* 42, 13 with an unknown state, 44, 41, then the others, 43 last. */
static int gravity(const struct bf_many_pack *p)
{
	if (p->rc == BF_E_RECOVERY)
		return 6;
	if (p->status == bf_rc_info(BF_E_LINK)->exit_status && p->state == BF_STATE_UNKNOWN)
		return 5;
	if (p->rc == BF_E_UNPROVEN)
		return 4;
	if (p->rc == BF_E_RESTORED)
		return 3;
	if (p->rc == BF_E_NOT_RECORDED)
		return 1;
	return p->rc ? 2 : 0;
}

static const char *error_text(const struct bf_many_pack *p, const char *key)
{
	return bf_json_str(bf_json_get(p->result, "error"), key);
}

static void judge(struct bf_many *m, struct bf_outcome *ret)
{
	const struct bf_many_pack *worst = &m->packs[0];
	size_t good = m->n - m->failed;
	char name[BF_ADDRESS_MAX + 32];
	const char *next;

	for (size_t i = 1; i < m->n; i++) {
		if (gravity(&m->packs[i]) > gravity(worst))
			worst = &m->packs[i];
	}
	ret->rc = worst->rc;
	ret->state = worst->state;
	bf_err_init(&ret->err);
	if (!ret->rc) {
		snprintf(ret->sentence, sizeof(ret->sentence), "All %zu packs are done.", m->n);
		return;
	}
	snprintf(ret->sentence, sizeof(ret->sentence), "%zu of %zu packs are done, %zu not.", good,
		 m->n, m->failed);
	bf_many_name(m, worst, name, sizeof(name));
	bf_fail(&ret->err, worst->rc, "%zu of %zu packs failed; the gravest, %s: %s", m->failed,
		m->n, name, error_text(worst, "cause"));
	next = error_text(worst, "next");
	if (next)
		bf_next(&ret->err, "%s", next);
	if (error_text(worst, "do"))
		bf_do(&ret->err, "%s", error_text(worst, "do"));
}

void bf_many_run(struct bf_many *m, char *const *labels, struct bf_outcome *ret)
{
	m->began = bf_now(m->clock);
	lay_out(m, labels);
	work(m);
	judge(m, ret);
}

double bf_many_seconds(const struct bf_many *m)
{
	double most = 0;

	for (size_t l = 0; l < m->n_lanes; l++) {
		double sum = 0;

		for (size_t i = 0; i < m->n; i++)
			sum += m->packs[i].lane == l
				       ? bf_json_real(m->packs[i].result, "seconds", 0)
				       : 0;
		most = sum > most ? sum : most;
	}
	return most;
}

struct bf_json *bf_many_json(const struct bf_many *m, const struct bf_outcome *outcome)
{
	struct bf_facts *none = calloc(1, sizeof(*none));
	struct bf_json *list = bf_json_array(), *j;

	if (!none)
		abort();
	none->job = m->opts->command;
	j = bf_result_json(m->whose, none, outcome, bf_wall(m->clock));
	free(none);
	for (size_t i = 0; i < m->n; i++) {
		static const char *const texts[] = { "exit",   "word",         "text",
						     "serial", "from_version", "version" };
		const struct bf_many_pack *p = &m->packs[i];
		struct bf_json *one = bf_json_object();

		bf_json_set_str(one, "interface", p->iface);
		if (p->has_node)
			bf_json_set_int(one, "node", p->node);
		bf_json_set_int(one, "status", p->status);
		for (size_t k = 0; k < BF_COUNT(texts); k++)
			bf_json_set_str(one, texts[k], bf_json_str(p->result, texts[k]));
		bf_json_set_real(one, "seconds", bf_json_real(p->result, "seconds", 0));
		bf_json_add(list, one);
	}
	bf_json_set_str(j, "text", outcome->sentence);
	bf_json_set_real(j, "seconds", bf_many_seconds(m));
	bf_json_set(j, "packs", list);
	return j;
}

void bf_many_done(struct bf_many *m)
{
	for (size_t i = 0; i < m->n; i++)
		bf_json_free(m->packs[i].result);
	for (size_t i = 0; i < m->n_lanes; i++)
		free(m->lanes[i].line);
	free(m->packs);
	m->packs = NULL;
}
