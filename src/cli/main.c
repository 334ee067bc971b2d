/* SPDX-License-Identifier: MIT */
/* From argv to an exit status: parse, run the job, render. */

#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <sys/prctl.h>

#include "bmsflash/bytes.h"
#include "bmsflash/crypto.h"
#include "bmsflash/file.h"
#include "screen.h"
#include "terminal.h"

struct program {
	struct bf_terminal terminal;
	bool asked, virtual_time;
	struct bf_opts opts;
	struct bf_folders folders;
	struct bf_defaults defaults;
	struct bf_whose whose;
	char label[128];           /* --expect-serial - */
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

/* Known to the whole plant: no two runs of any computer have one name. */
static void name_run(struct program *p)
{
	uint8_t id[8];

	bf_random(id, sizeof(id));
	bf_hex(p->whose.run, sizeof(p->whose.run), id, sizeof(id));
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

/* Only where the pack cannot go back: the answer is the user's. */
static enum bf_answer agree(void *ctx)
{
	struct program *p = ctx;
	enum bf_answer answer;

	if (!p->text.facts.has_plan || !p->text.facts.plan.counter_will_rise)
		return BF_ANSWER_YES;
	if (!p->asked) {
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

/* verify offline: what the files are. True: there is nothing more to do. */
static bool explained(struct program *p, const struct bf_claim_opts *claim)
{
	const struct bf_opts *o = &p->opts;
	struct bf_claim_opts opts = *claim;
	unsigned archives = 0;

	p->text.facts.job = o->command;

	if (o->command != BF_JOB_VERIFY || o->iface || !o->images[0])
		return false;
	opts.clock = NULL;
	p->outcome.rc = bf_explain_files(o->json || o->quiet ? NULL : &p->text, o->images, &opts,
					 p->folders.data, &archives, &p->outcome.err);
	if (!p->outcome.rc && o->images[0])
		return false;
	snprintf(p->outcome.sentence, sizeof(p->outcome.sentence), "%s",
		 p->outcome.rc   ? "nothing was changed"
		 : archives == 1 ? "The archive is sound."
				 : "Every archive is sound.");
	return true;
}

/* --expect-serial -: a label that a scanner types; white space around it does not count. */
static void read_label(struct program *p)
{
	size_t n;

	if (!p->opts.expect_serial || strcmp(p->opts.expect_serial, "-") != 0)
		return;
	if (!fgets(p->label, sizeof(p->label), stdin))
		p->label[0] = '\0';
	n = strspn(p->label, " \t\r\n");
	memmove(p->label, p->label + n, strlen(p->label + n) + 1);
	n = strlen(p->label);
	while (n && strchr(" \t\r\n", p->label[n - 1]))
		p->label[--n] = '\0';
	p->opts.expect_serial = p->label;
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
	if (!o->yes && !o->json && !o->dry_run && bf_terminal_asks()) {
		job.agree = agree;
		job.agree_ctx = p;
	}
	clock->asked = stopping;
	clock->asked_ctx = p;
	if (p->text.progress == BF_PROGRESS_TTY && !o->json)
		bf_terminal_quiet(&p->terminal);
	if (explained(p, &claim))
		return;
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

static int render(struct program *p, bool json, struct bf_clock *clock)
{
	if (json)
		bf_out_json_outcome(&p->json, &p->outcome,
				    p->json.last_us ? p->json.last_us : bf_wall(clock));
	else
		bf_out_text_outcome(&p->text, &p->outcome);
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
	struct program p = { 0 };
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
		if (no_home)
			snprintf(p.outcome.sentence, sizeof(p.outcome.sentence),
				 "nothing was done");
		else {
			choose_interface(&p);
			read_label(&p);
			run(&p, clock);
		}
		status = render(&p, json, clock);
	}
	bf_folders_done(&p.folders);
	bf_defaults_done(&p.defaults);
	bf_opts_done(&p.opts);
	close(stop_fd);
	return status;
}
