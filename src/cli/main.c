/* SPDX-License-Identifier: MIT */
/* From argv to an exit status: parse, run the job, render. */

#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <sys/prctl.h>

#include "backups.h"
#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"
#include "bmsflash/file.h"
#include "bmsflash/json.h"
#include "many.h"
#include "screen.h"
#include "terminal.h"

struct program {
	struct bf_terminal terminal;
	bool asked, virtual_time;
	struct bf_opts opts;
	struct bf_folders folders;
	struct bf_defaults defaults;
	struct bf_whose whose;
	char **labels;    /* --expect-serial -, one for each pack */
	bool child, asks; /* one pack of several; its question is answered on standard input */
	int stop_fd;
	char only[BF_ADDRESS_MAX]; /* the one interface that can be used */
	struct bf_out_text text;
	struct bf_out_json json;
	struct bf_log log;
	struct bf_events events;
	struct bf_outcome outcome;
};

/* Signals that ask to stop become a readable descriptor for the clock; the engine stops at a safe place. */
static int stop_signals(void)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction was;
	sigset_t set;

	sigemptyset(&set);
	/* A signal that was ignored at the start stays ignored: nohup, and background jobs of a shell. */
	for (size_t i = 0; i < BF_COUNT(stops); i++) {
		if (sigaction(stops[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaddset(&set, stops[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum bf_progress_style progress_style(const char *word)
{
	if (strcmp(word, "tty") == 0)
		return BF_PROGRESS_TTY;
	if (strcmp(word, "plain") == 0)
		return BF_PROGRESS_PLAIN;
	if (strcmp(word, "none") == 0)
		return BF_PROGRESS_NONE;
	return bf_terminal_is(STDERR_FILENO) ? BF_PROGRESS_TTY : BF_PROGRESS_PLAIN;
}

static bool wants_colour(const char *word)
{
	const char *no_colour = getenv("NO_COLOR");

	if (strcmp(word, "auto") != 0)
		return strcmp(word, "always") == 0;
	return bf_terminal_is(STDERR_FILENO) && bf_terminal_is(STDOUT_FILENO) &&
	       !(no_colour && *no_colour);
}

/* Known to the whole plant: no two runs of any computer have one name. On virtual time two runs are the same. */
static void name_run(struct program *p)
{
	uint8_t id[8], sha[BF_SHA256_LEN];

	if (!p->whose.run[0]) {
		bf_random(id, sizeof(id));
		if (p->opts.iface && bf_address_is_virtual(p->opts.iface)) {
			bf_sha256(sha, p->opts.iface, strlen(p->opts.iface));
			memcpy(id, sha, sizeof(id));
		}
		bf_hex(p->whose.run, sizeof(p->whose.run), id, sizeof(id));
	}
	p->whose.iface = p->opts.iface;
	p->whose.node = p->opts.node;
	p->whose.has_node = p->opts.have_command && p->opts.node >= 0;
}

static void start_output(struct program *p, bool json)
{
	const struct bf_opts *o = &p->opts;

	p->json.to = stdout;
	name_run(p);
	p->json.whose = p->whose;
	p->text = (struct bf_out_text){
		.results = stdout,
		.notes = stderr,
		.progress = progress_style(o->progress ? o->progress : "auto"),
		.colour = wants_colour(o->color ? o->color : "auto"),
		.quiet = o->quiet > 0,
		.verbose = o->verbose,
		.wraps = bf_terminal_is(STDOUT_FILENO),
		.utf8 = bf_terminal_utf8(),
		.home = getenv("HOME"),
		.opts = o,
		.folders = &p->folders,
		.key_by_default = p->defaults.key != NULL,
		.whose = p->whose,
	};
	p->events = (struct bf_events){ json ? bf_out_json_event : bf_out_text_event,
					json ? (void *)&p->json : (void *)&p->text };
	p->log = (struct bf_log){ json ? bf_out_json_log : bf_out_text_log,
				  json ? (void *)&p->json : (void *)&p->text,
				  o->verbose > 1 ? BF_LOG_DEBUG : BF_LOG_WARN };
}

static const char *user_name(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : "unknown";
}

/* Only where the pack cannot go back, or loses what is in no file: the answer is the user's. */
static enum bf_answer agree(void *ctx)
{
	struct program *p = ctx;
	const struct bf_facts *f = p->child ? &p->json.facts : &p->text.facts;
	enum bf_answer answer;

	if (!f->has_plan || !(f->plan.counter_will_rise || f->plan.wipes_all))
		return BF_ANSWER_YES;
	if (!p->asked && !p->child) {
		p->asked = true;
		bf_screen_warn_of_no_return(&p->text);
		bf_text_close_line(&p->text);
		bf_terminal_ask(&p->terminal, "Go on?");
	}
	answer = bf_terminal_answer(&p->terminal, p->virtual_time);
	if (answer != BF_ANSWER_PENDING)
		bf_terminal_quiet(&p->terminal);
	return answer;
}

static void stopping(void *ctx, const struct bf_clock *clock)
{
	struct program *p = ctx;

	if (!p->opts.json)
		bf_out_text_stopping(&p->text, clock);
}

/* probe without --if: the only adapter is what is meant. */
static void choose_interface(struct program *p)
{
	if (p->opts.command != BF_JOB_PROBE || p->opts.iface || p->opts.doctor ||
	    !bf_contact_only(p->only, sizeof(p->only)))
		return;
	p->opts.iface = p->whose.iface = p->json.whose.iface = p->text.whose.iface = p->only;
	if (!p->opts.json && !p->opts.quiet)
		fprintf(stderr, "One port can be used: %s\n", p->only);
}

/* probe --list: nothing is opened. */
static bool listed(struct program *p)
{
	if (!p->opts.list || p->opts.command != BF_JOB_PROBE)
		return false;
	p->text.facts.job = p->opts.command;
	p->text.facts.listed = true;
	bf_known_show(&p->events, &p->folders);
	snprintf(p->outcome.sentence, sizeof(p->outcome.sentence), "Nothing was changed.");
	return true;
}

/* verify offline: what the files are. True: there is nothing more to do. */
static bool explained(struct program *p, const struct bf_claim_opts *claim)
{
	const struct bf_opts *o = &p->opts;
	struct bf_claim_opts opts = *claim;
	struct bf_explained found;

	p->text.facts.job = o->command;

	if (o->command != BF_JOB_VERIFY || o->iface || !o->images[0])
		return false;
	opts.clock = NULL;
	p->outcome.rc = bf_explain_files(o->json || o->quiet ? NULL : &p->text, o->images, &opts,
					 p->folders.data, &found, &p->outcome.err);
	if (!p->outcome.rc && o->images[0])
		return false;
	if (p->outcome.rc)
		snprintf(p->outcome.sentence, sizeof(p->outcome.sentence), "nothing was changed");
	else
		snprintf(p->outcome.sentence, sizeof(p->outcome.sentence), "%s %s is sound.",
			 found.n == 1 ? "The" : "Every", found.n == 1 ? found.kind : "file");
	return true;
}

/* --expect-serial -: labels that a scanner types, one for each pack. */
static enum bf_rc read_labels(struct program *p, struct bf_err *err)
{
	struct bf_opts *o = &p->opts;
	size_t n = 1, nodes = o->nodes.n ? o->nodes.n : 1;

	if (!o->expect_serial || strcmp(o->expect_serial, "-") != 0)
		return BF_OK;
	while (o->ifaces[0] && o->ifaces[n])
		n++;
	if (bf_labels_read(stdin, n * nodes, &p->labels, err))
		return err->rc;
	if (n * nodes == 1)
		o->expect_serial = p->labels[0];
	return BF_OK;
}

static bool may_ask(const struct program *p)
{
	const struct bf_opts *o = &p->opts;

	return !o->yes && !o->json && !o->dry_run && bf_terminal_asks();
}

/* One event for each; the pack may have been given by its serial number. */
static void tell_backups(struct program *p, const struct bf_kept *list, size_t n, int64_t wall_us)
{
	for (size_t i = 0; i < n && p->opts.json; i++)
		bf_out_json_kept(&p->json, &list[i], wall_us);
	if (!p->opts.json)
		bf_backups_show(&p->text, list, n);
}

static size_t count_packs(const struct bf_kept *list, size_t n)
{
	size_t packs = 0;

	for (size_t i = 0; i < n; i++)
		packs += !i || memcmp(list[i].owner, list[i - 1].owner, sizeof(list[i].owner)) != 0;
	return packs;
}

/* Those that are there, without the oldest. */
static void look_after_backups(struct program *p, bool show, struct bf_clock *clock)
{
	const struct bf_opts *o = &p->opts;
	BF_AUTO_MEM struct bf_kept *list = NULL;
	struct bf_outcome *out = &p->outcome;
	char folder[PATH_MAX];
	size_t n = 0, removed = 0;

	if (!bf_backups_folder(&p->folders, o, folder, sizeof(folder)))
		return;
	out->rc = bf_backups_look(folder, p->folders.data, show ? o->expect_serial : NULL, &list,
				  &n, &out->err);
	if (!out->rc && o->keep)
		out->rc = bf_backups_prune(list, n, p->folders.data, (size_t)o->keep, &removed,
					   &out->err);
	if (!show)
		return;
	p->text.facts.job = p->json.facts.job = BF_JOB_BACKUP;
	tell_backups(p, list, n, bf_wall(clock));
	snprintf(out->sentence, sizeof(out->sentence), "%zu backup%s of %zu pack%s%s.", n - removed,
		 n - removed == 1 ? "" : "s", count_packs(list, n),
		 count_packs(list, n) == 1 ? "" : "s", removed ? " stay" : "");
}

static void run(struct program *p, struct bf_clock *clock)
{
	const struct bf_opts *o = &p->opts;
	/* On the virtual pack all time is virtual, from the first event on: two runs are the same. */
	BF_AUTO(bf_clock) *vclock =
		o->iface && bf_address_is_virtual(o->iface) ? bf_vclock_new() : NULL;
	struct bf_claim_opts claim;
	struct bf_job job;

	bf_opts_job(o, &claim, &job);
	/* Pipes are read in real time, whatever the pack's clock is. */
	claim.clock = clock;
	claim.deadline = o->timeout ? bf_in(clock, o->timeout) : BF_NEVER;
	job.profile_folders = (const char *const *)p->folders.profiles;
	job.key_folders = (const char *const *)p->folders.keys;
	job.data_folder = p->folders.data;
	job.runtime_folder = p->folders.runtime;
	job.user = user_name();
	job.run = p->whose.run;
	p->virtual_time = vclock != NULL;
	if (vclock)
		bf_vclock_heed(vclock, clock);
	job.serial_in_names = p->child;
	if (p->asks || may_ask(p)) {
		job.agree = agree;
		job.agree_ctx = p;
	}
	clock->asked = stopping;
	clock->asked_ctx = p;
	if (p->text.progress == BF_PROGRESS_TTY && !o->json)
		bf_terminal_quiet(&p->terminal);
	if (listed(p) || explained(p, &claim))
		return;
	if (o->command == BF_JOB_BACKUP && !o->iface) {
		look_after_backups(p, true, clock);
		return;
	}
	bf_job_run(&job, vclock ? vclock : clock, &p->log, &p->events, &p->outcome);
	bf_terminal_restore(&p->terminal);
}

/* A result that nobody could read is not a success. */
static int said(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fputs("bmsflash: the result could not be written to standard output (closed, or the disk "
	      "is full)\n",
	      stderr);
	return status ? status : bf_rc_info(BF_E_FILE)->exit_status;
}

/* Found before anything is done, not when the work is. */
static enum bf_rc check_reports(struct program *p, struct bf_err *err)
{
	const struct bf_opts *o = &p->opts;

	if ((o->report && bf_report_check(o->report, err)) ||
	    (o->on_result && bf_told_check(o->on_result, err)))
		return err->rc;
	return bf_opts_many(o) ? bf_many_check(o, err) : BF_OK;
}

static void warn(struct program *p, const char *text, int64_t wall_us)
{
	p->events.fn(p->events.ctx,
		     &(struct bf_event){ .kind = BF_EV_WARNING, .wall_us = wall_us, .text = text });
}

static void write_report(struct program *p, struct bf_json *const *results, size_t n)
{
	struct bf_err err;

	bf_err_init(&err);
	if (!p->opts.report ||
	    !bf_report_write(p->opts.report, bf_job_name(p->opts.command), results, n, &err))
		return;
	if (p->outcome.rc) {
		fprintf(stderr, "bmsflash: no report: %s\n", err.cause);
		return;
	}
	p->outcome.rc = err.rc = BF_E_NOT_RECORDED;
	p->outcome.err = err;
}

/* Who else wants to know how it ended: before the last line, so that it can say who did not take it. */
static void pass_result_on(struct program *p, bool json, int64_t wall_us)
{
	const struct bf_facts *f = json ? &p->json.facts : &p->text.facts;
	BF_AUTO(bf_json) *j = NULL;
	BF_AUTO_MEM char *line = NULL;
	struct bf_err err;

	if (!p->opts.report && !p->opts.on_result)
		return;
	j = bf_result_json(&p->json.whose, f, &p->outcome, wall_us);
	bf_err_init(&err);
	if (p->opts.on_result) {
		line = bf_json_line(j);
		if (bf_told(p->opts.on_result, line, &err))
			warn(p, err.cause, wall_us);
	}
	write_report(p, &j, 1);
}

static int render(struct program *p, bool json, struct bf_clock *clock)
{
	if (p->outcome.rc)
		bf_contact_advise(&p->opts, &p->outcome.err);
	if (json)
		bf_out_json_outcome(&p->json, &p->outcome,
				    p->json.last_us ? p->json.last_us : bf_wall(clock));
	else
		bf_out_text_outcome(&p->text, &p->outcome);
	if (p->opts.big && !json)
		bf_many_show_big(&p->text, p->outcome.rc == BF_OK);
	return said(bf_rc_info(p->outcome.rc)->exit_status);
}

static void clear(struct program *p)
{
	bf_folders_done(&p->folders);
	bf_defaults_done(&p->defaults);
	bf_opts_done(&p->opts);
	bf_labels_free(p->labels);
}

/* A backup was made; what cannot be removed beside it is a warning. */
static void prune(struct program *p, struct bf_clock *clock)
{
	const struct bf_opts *o = &p->opts;
	struct bf_outcome made = p->outcome;
	char text[sizeof(made.err.cause)];

	if (!o->keep || !o->iface || made.rc)
		return;
	look_after_backups(p, false, clock);
	snprintf(text, sizeof(text), "%s", p->outcome.rc ? p->outcome.err.cause : "");
	p->outcome = made;
	if (text[0])
		warn(p, text, p->json.last_us ? p->json.last_us : bf_wall(clock));
}

/* "This file is for BMS-16S-R3" says more than a number. */
static void name_class(struct program *p)
{
	struct bf_facts *f = p->opts.json ? &p->json.facts : &p->text.facts;

	if (p->outcome.rc == BF_E_INCOMPATIBLE && f->has_vid && f->has_cid && !f->image_hw[0])
		bf_backups_class_name(&p->folders, &p->opts, f->vid, f->cid, f->image_hw,
				      sizeof(f->image_hw));
}

static int one_pack(struct program *p, struct bf_clock *clock)
{
	run(p, clock);
	name_class(p);
	prune(p, clock);
	pass_result_on(p, p->opts.json, p->json.last_us ? p->json.last_us : bf_wall(clock));
	return render(p, p->opts.json, clock);
}

/* In a process of its own. */
static int pack_of_many(void *ctx, const struct bf_one *one)
{
	struct program *p = ctx;
	struct bf_opts *o = &p->opts;
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(p->stop_fd);
	int status;

	o->iface = o->ifaces[0] = one->iface;
	o->ifaces[1] = NULL;
	o->node = one->node;
	o->nodes.n = one->node >= 0;
	o->expect_serial = one->label;
	o->output = one->output;
	o->trace = one->trace;
	o->record = one->record;
	o->report = NULL;
	o->keep = 0; /* once, when all have ended */
	o->json = true;
	p->child = true;
	p->asks = one->asks;
	start_output(p, true);
	status = one_pack(p, clock);
	free(one->output);
	free(one->trace);
	free(one->record);
	clear(p);
	return status;
}

static void show_many(struct program *p, struct bf_many *m)
{
	BF_AUTO(bf_json) *j = NULL;
	BF_AUTO_MEM char *line = NULL;

	if (m->json) {
		j = bf_many_json(m, &p->outcome);
		line = bf_json_line(j);
		fprintf(m->json, "%s\n", line);
		return;
	}
	bf_many_show_table(m, &p->outcome);
	if (p->opts.big || p->text.wraps)
		bf_many_show_big(&p->text, p->outcome.rc == BF_OK);
}

static int many_packs(struct program *p, struct bf_clock *clock)
{
	struct bf_many m = { .opts = &p->opts,
			     .clock = clock,
			     .text = &p->text,
			     .json = p->opts.json ? stdout : NULL,
			     .whose = &p->whose,
			     .run_one = pack_of_many,
			     .ctx = p,
			     .asks = may_ask(p),
			     .terminal = &p->terminal };
	struct bf_json **results;

	p->whose.iface = NULL;
	p->whose.has_node = false;
	if (p->text.progress == BF_PROGRESS_TTY && !p->opts.json)
		bf_terminal_quiet(&p->terminal);
	bf_many_run(&m, p->labels, &p->outcome);
	bf_terminal_restore(&p->terminal);
	prune(p, clock);
	results = calloc(m.n, sizeof(struct bf_json *));
	if (!results)
		abort();
	for (size_t i = 0; i < m.n; i++)
		results[i] = m.packs[i].result;
	write_report(p, results, m.n);
	free(results);
	show_many(p, &m);
	bf_many_done(&m);
	return said(bf_rc_info(p->outcome.rc)->exit_status);
}

static int help_or_version(const struct bf_opts *opts)
{
	if (opts->version)
		puts("bmsflash " BF_VERSION);
	else if (opts->have_command)
		bf_help_command(stdout, bf_spec_command(opts->command));
	else
		bf_help_program(stdout);
	if (opts->bare)
		bf_contact_show(stdout);
	return said(0);
}

static int take_descriptors(void)
{
	bf_std_descriptors();
	return stop_signals();
}

int main(int argc, char **argv)
{
	int words = argc > 0 ? argc - 1 : 0;
	const char *const *argw = (const char *const *)argv + (argc > 0);
	int stop_fd = take_descriptors();
	BF_AUTO(bf_clock) *clock = bf_clock_real_new(stop_fd);
	bool json = bf_parse_wants_json(words, argw);
	struct program p = { .stop_fd = stop_fd };
	struct bf_err homeless;
	enum bf_rc no_home;
	int status;

	/* Nothing that it starts, an auth program or a shell, gets more rights than the user has. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	no_home = bf_folders_find(&p.folders, &homeless);
	p.outcome.rc = bf_defaults_find(p.folders.config, &p.defaults, &p.outcome.err);
	if (!p.outcome.rc)
		p.outcome.rc = bf_parse_with(words, argw, &p.defaults, &p.opts, &p.outcome.err);
	if (p.outcome.rc && p.opts.lacks_iface)
		bf_contact_name(words, argw, &p.outcome.err);
	start_output(&p, json);
	if (p.outcome.rc) {
		snprintf(p.outcome.sentence, sizeof(p.outcome.sentence), "nothing was done");
		status = render(&p, json, clock);
		bf_folders_done(&p.folders);
		bf_defaults_done(&p.defaults);
		return status;
	}
	if (p.opts.help || p.opts.version) {
		status = help_or_version(&p.opts);
	} else {
		p.outcome.rc = no_home;
		if (no_home)
			p.outcome.err = homeless;
		choose_interface(&p);
		if (p.outcome.rc || check_reports(&p, &p.outcome.err) ||
		    read_labels(&p, &p.outcome.err)) {
			p.outcome.rc = p.outcome.err.rc;
			snprintf(p.outcome.sentence, sizeof(p.outcome.sentence),
				 "nothing was done");
			status = render(&p, json, clock);
		} else {
			status =
				bf_opts_many(&p.opts) ? many_packs(&p, clock) : one_pack(&p, clock);
		}
	}
	clear(&p);
	close(stop_fd);
	return status;
}
