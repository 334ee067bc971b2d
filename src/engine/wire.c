/* SPDX-License-Identifier: MIT */
/* The interface: diagnosed, locked, opened, tested, its rate agreed on, closed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bmsflash/bytes.h"
#include "bmsflash/file.h"

#include "phases.h"

/* ==== diagnosis ==== */
/* probe --doctor: what stands in the way on this computer. Each driver knows its own kind of interface. */

struct doctor {
	struct bf_run *run;
	unsigned count[BF_SEVERITY_COUNT];
	struct bf_diag_finding worst; /* the first problem */
};

static void finding(void *ctx, const struct bf_diag_finding *f)
{
	struct doctor *doc = ctx;

	if (f->severity == BF_SEVERITY_PROBLEM && !doc->count[BF_SEVERITY_PROBLEM])
		doc->worst = *f;
	doc->count[f->severity]++;
	bf_emit(doc->run, (struct bf_event){ .kind = BF_EV_FINDING, .finding = f });
}

static enum bf_rc verdict(const struct doctor *doc, struct bf_err *err)
{
	unsigned problems = doc->count[BF_SEVERITY_PROBLEM];

	if (!problems)
		return BF_OK;
	bf_fail(err, BF_E_IFACE, "%u problem%s finding; the first, on '%s': %s", problems,
		problems == 1 ? "" : "s", doc->worst.subject, doc->worst.text);
	bf_do(err, "fix that, then look again");
	bf_next(err, "%s", doc->worst.mend[0] ? doc->worst.mend : "bmsflash probe --doctor");
	return err->rc;
}

enum bf_rc bf_ph_doctor(struct bf_run *run, struct bf_err *err)
{
	struct doctor doc = { .run = run };
	const struct bf_diag diag = { .root = "", .found = finding, .ctx = &doc };
	const char *iface = run->job->iface ? bf_address_bare(run->job->iface) : NULL;
	bool known = !iface;

	for (const struct bf_driver *const *d = run->ports->drivers(); *d; d++) {
		if (iface && !((*d)->match && (*d)->match(iface)))
			continue;
		known = true;
		if ((*d)->diagnose)
			(*d)->diagnose(&diag, iface);
		else if (iface)
			bf_find(&diag, BF_SEVERITY_OK, "interface", iface, NULL,
				"it needs nothing of this computer");
		if (iface)
			break;
	}
	if (!known)
		return bf_address_unknown(iface, err);
	return verdict(&doc, err);
}

/* ==== the lock ==== */
/*
 * One run at a time for an interface. The lock is flock(2) on a file in the runtime folder, so
 * that it goes with the process; the text in the file only names the holder to people.
 */

static const struct bf_driver *driver_of(const struct bf_run *run)
{
	const struct bf_driver *const *d = run->ports->drivers();

	for (; *d; d++) {
		if ((*d)->match && (*d)->match(bf_address_bare(run->job->iface)))
			return *d;
	}
	return NULL;
}

/*
 * ttyUSB0, /dev/ttyUSB0 and /dev/serial/by-id/... are one interface, and so are an interface and the same one
 * behind the fault injector. What is no device file is named by its driver and what comes before options.
 */
enum bf_rc bf_iface_name(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err)
{
	const char *address = bf_address_bare(run->job->iface);
	const struct bf_driver *driver = driver_of(run);
	char dev[PATH_MAX];

	if (bf_path(dev, err, address[0] == '/' ? "%s" : "/dev/%s", address))
		return err->rc;
	if (realpath(dev, dst))
		return BF_OK;
	if (driver && driver->is_virtual)
		return bf_path(dst, err, "%s", driver->name);
	return bf_path(dst, err, "%s", address);
}

/*
 * The lock protects what is shared: a bus, a USB device or a serial port carries one session at a time, whatever
 * nodes are on it. The hash keeps names apart that look alike as file names.
 */
static enum bf_rc lock_path(const struct bf_run *run, char dst[PATH_MAX], struct bf_err *err)
{
	char name[PATH_MAX];
	uint8_t sha[BF_SHA256_LEN];
	char hash[17];

	if (bf_iface_name(run, name, err))
		return err->rc;
	bf_sha256(sha, name, strlen(name));
	bf_hex(hash, sizeof(hash), sha, 8);
	bf_file_name(name, "-.");
	return bf_path(dst, err, "%s/bmsflash-%.100s-%s.lock", run->job->runtime_folder, name,
		       hash);
}

static bool needs_none(const struct bf_run *run)
{
	const struct bf_driver *driver;

	if (!run->job->iface || !run->job->runtime_folder)
		return true;
	driver = driver_of(run);
	return driver && driver->is_virtual;
}

/* Any local user may have written it. */
static void read_holder(int fd, char dst[128])
{
	ssize_t n = pread(fd, dst, 127, 0);

	dst[n > 0 ? n : 0] = '\0';
	dst[strcspn(dst, "\n")] = '\0';
	for (char *p = dst; *p; p++) {
		if (*p < 0x20 || *p > 0x7E)
			*p = '?';
	}
}

static enum bf_rc held_by_other(const struct bf_run *run, int fd, struct bf_err *err)
{
	char holder[128];

	read_holder(fd, holder);
	bf_fail(err, BF_E_BUSY, "another bmsflash is at work on '%s' (%s)", run->job->iface,
		holder[0] ? holder : "its process is not known");
	bf_do(err, "wait for it:");
	bf_next_waiting(run, run->job->wait > BF_SEC(300) ? 2 * run->job->wait : BF_SEC(300), err);
	return err->rc;
}

static void write_holder(const struct bf_run *run, int fd)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "bmsflash %s, process %ld\n",
			 bf_job_name(run->job->kind), (long)getpid());

	/* Only for people; the lock is held without it. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
		bf_log(run->log, BF_LOG_DEBUG, "the lock file could not be labelled");
}

/*
 * One file for all users: whoever comes first makes it, readable and writable by all whatever the umask.
 * It is opened first and made only where it is not there, because the kernel refuses O_CREAT on another
 * user's file in a sticky folder (sysctl fs.protected_regular). -1 with errno.
 */
static int open_shared(const char *path)
{
	const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int fd = open(path, O_RDWR | flags);

	if (fd < 0 && errno == ENOENT) {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0666);
		if (fd >= 0)
			(void)fchmod(fd, 0666);
		else if (errno == EEXIST)
			fd = open(path, O_RDWR | flags);
	}
	/* A lock needs no more than reading. */
	return fd < 0 && errno == EACCES ? open(path, O_RDONLY | flags) : fd;
}

/* What somebody put in the way of the lock is never written to: its text would land in another file. */
static enum bf_rc is_lock_file(int fd, const char *path, struct bf_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot examine the lock file '%s'",
				  path);
	if (S_ISREG(st.st_mode) && st.st_nlink <= 1)
		return BF_OK;
	bf_fail(err, BF_E_IFACE, "the lock file '%s' is %s", path,
		S_ISREG(st.st_mode) ? "a hard link to another file" : "not a regular file");
	bf_likely(err, "another user of this computer put it there");
	return err->rc;
}

/* A folder for locks in a place that anybody can write to must be ours. */
static enum bf_rc is_own_folder(const char *path, struct bf_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot examine the folder '%s'", path);
	if (S_ISLNK(st.st_mode) && st.st_uid == 0)
		return BF_OK;
	if (S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0))
		return BF_OK;
	return bf_fail(err, BF_E_IFACE, "the folder for locks, '%s', belongs to another user",
		       path);
}

#define LOCK_PACE BF_MS(200)

enum bf_rc bf_ph_lock(struct bf_run *run, struct bf_err *err)
{
	char path[PATH_MAX];
	bf_time wait = run->job->wait, end = wait ? bf_in(run->clock, wait) : 0;
	BF_AUTO_FD int fd = -1;

	if (needs_none(run))
		return BF_OK;
	if (bf_dir_make(run->job->runtime_folder, err)) {
		err->rc = BF_E_IFACE;
		return err->rc;
	}
	if (is_own_folder(run->job->runtime_folder, err) || lock_path(run, path, err)) {
		err->rc = BF_E_IFACE;
		return err->rc;
	}
	fd = open_shared(path);
	if (fd < 0)
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot open the lock file '%s'", path);
	if (is_lock_file(fd, path, err))
		return err->rc;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK && wait && bf_now(run->clock) < end) {
			bf_alive(run, "another bmsflash is at work on this interface");
			if (bf_run_pause(run, LOCK_PACE, err))
				return err->rc;
			continue;
		}
		if (errno == EWOULDBLOCK)
			return held_by_other(run, fd, err);
		return bf_fail_os(err, BF_E_IFACE, errno, "cannot lock '%s'", path);
	}
	write_holder(run, fd);
	run->wire.lock_fd = fd;
	run->wire.locked = true;
	fd = -1;
	return BF_OK;
}

/* The file stays: removing it would let two runs lock two files of one name. */
void bf_ph_unlock(struct bf_run *run)
{
	if (run->wire.locked)
		close(run->wire.lock_fd);
	run->wire.locked = false;
}

/* ==== opening and closing ==== */
/* The wire: opened with the profile's settings, described to the user, closed with its figures shown. */

static void describe(struct bf_run *run)
{
	struct bf_wire_view view;

	bf_wire_look(run->wire.transport, &view);
	run->wire.rate = view.rate;
	run->wire.heard_first = view.heard;
	if (view.notice[0])
		bf_say(run, view.notice_warns ? BF_EV_WARNING : BF_EV_NOTICE, "%s", view.notice);
	bf_emit(run, (struct bf_event){ .kind = BF_EV_INTERFACE,
					.iface = { run->wire.transport->name,
						   run->wire.transport->ops->name, view.detail } });
}

/* An option that says which pack or which setting is obeyed or refused, never dropped. */
static enum bf_rc check_options(const struct bf_run *run, struct bf_err *err)
{
	const struct bf_job *job = run->job;
	const struct {
		const char *name;
		bool given;
	} rows[] = {
		{ "node", job->node >= 0 },  { "baud", job->baud > 0 },       { "scan", job->scan },
		{ "alt", job->alt != NULL }, { "bitrate", job->bitrate > 0 },
	};

	for (size_t i = 0; i < BF_COUNT(rows); i++) {
		const char *what;

		if (!rows[i].given ||
		    bf_wire_takes_option(run->wire.transport->ops->wire, rows[i].name, &what))
			continue;
		bf_fail(err, BF_E_USAGE, "--%s has no meaning for '%s': it is %s.", rows[i].name,
			job->iface, what);
		bf_do(err, "leave out --%s", rows[i].name);
		return err->rc;
	}
	return BF_OK;
}

#define RESCUE_WAIT BF_SEC(60)

bf_time bf_rescue_patience(const struct bf_run *run)
{
	return run->job->wait ? run->job->wait : RESCUE_WAIT;
}

enum bf_rc bf_ph_open(struct bf_run *run, struct bf_err *err)
{
	const struct bf_job *job = run->job;
	const struct bf_profile *p = &run->given.profile;
	struct bf_open_env env = {
		.clock = run->time.outer,
		.log = run->log,
		.line = bf_line_of_profile(p, job->baud ? job->baud : p->baud),
		.baud_asked = job->baud != 0,
		.bitrate = job->bitrate,
		.dbitrate = job->dbitrate,
		.wait = job->rescue ? bf_rescue_patience(run) : job->wait,
		.alive = bf_alive,
		.alive_ctx = run,
	};

	if (!job->iface)
		return bf_fail(err, BF_E_USAGE, "no interface was named: --if IFACE");
	if (job->rescue)
		bf_say(run, BF_EV_NOTICE, "opening '%s' before power comes on", job->iface);
	if (run->ports->open(&env, job->iface, &run->wire.transport, err))
		return bf_while(err, "opening '%s'", job->iface);
	if (check_options(run, err))
		return err->rc;
	if (bf_conditions_open(run, &run->wire.transport, err))
		return err->rc;
	if (job->trace &&
	    bf_trace_wrap(bf_steal(&run->wire.transport), job->trace, &run->wire.transport, err))
		return bf_while(err, "writing the trace '%s'", job->trace);
	bf_time_on_wire(run, run->wire.transport->clock);
	run->wire.first = run->wire.transport->stats;
	describe(run);
	run->wire.first_rate = run->wire.rate;
	return BF_OK;
}

void bf_ph_close(struct bf_run *run)
{
	if (run->wire.transport) {
		bf_time_off_wire(run);
		run->wire.transport = bf_transport_close(run->wire.transport);
	}
	bf_conditions_close(run);
}

struct listing {
	struct bf_run *run;
	size_t n;
};

static void found(void *ctx, const struct bf_candidate *c)
{
	struct listing *list = ctx;

	bf_emit(list->run, (struct bf_event){ .kind = BF_EV_CANDIDATE, .candidate = c });
	list->n++;
}

enum bf_rc bf_ph_candidates(struct bf_run *run, struct bf_err *err)
{
	struct listing list = { .run = run };

	for (const struct bf_driver *const *d = run->ports->drivers(); *d; d++) {
		if ((*d)->list)
			(*d)->list(found, &list);
	}
	if (list.n)
		return BF_OK;
	bf_fail(err, BF_E_NODEV, "no interface was found on this computer");
	bf_likely(err, "the adapter is not plugged in, or its driver is not loaded");
	bf_do(err, "plug in an adapter, or try the built-in virtual pack");
	bf_next(err, "bmsflash probe --if sim");
	return err->rc;
}

/* ==== test messages ==== */
/* Small exchanges in a row: how many are lost, how long an answer takes, and whether that is more than before. */

#define SIGMAS    3.0 /* one good line in a thousand is called worse than it was */
#define SHARE_MAX 0.5

enum bf_rc bf_linktest(struct bf_run *run, unsigned n, struct bf_linktest *ret, struct bf_err *err)
{
	struct bf_linktest t = { .best = BF_NEVER };
	unsigned gap = 0;
	bf_time sum = 0;

	for (unsigned i = 0; run->session.proto->ops->ping && i < n; i++) {
		bf_time start = bf_now(run->clock), took;
		struct bf_err why;
		enum bf_rc rc;

		bf_err_init(&why);
		rc = run->session.proto->ops->ping(run->session.proto, &why);
		t.sent++;
		if (rc == BF_E_TIMEOUT || rc == BF_E_LINK) {
			t.lost++;
			t.since = 0;
			t.gap = ++gap > t.gap ? gap : t.gap;
			continue;
		}
		if (rc && !why.dev_refused) { /* a refusal is an answer */
			*err = why;
			return bf_while(err, "testing the line");
		}
		gap = 0;
		t.since++;
		took = bf_now(run->clock) - start;
		sum += took;
		t.best = took < t.best ? took : t.best;
		t.worst = took > t.worst ? took : t.worst;
	}
	if (t.sent > t.lost)
		t.mean = sum / (t.sent - t.lost);
	else
		t.best = 0;
	*ret = t;
	return BF_OK;
}

/* Long messages are lost more often than these short ones: counting both errs on the patient side. */
static double share_lost(const struct bf_run *run)
{
	const struct bf_linktest *before = &run->wire.line_before;
	double tested = before->sent ? (double)before->lost / before->sent : 0;
	double lost = (double)(run->session.retry.timeouts + run->session.retry.damaged),
	       asked = lost;
	double share;

	for (size_t i = 0; i < BF_RETRY_CLASS_COUNT; i++)
		asked += (double)run->session.retry.requests[i];
	share = asked > 0 && lost / asked > tested ? lost / asked : tested;
	return share < SHARE_MAX ? share : SHARE_MAX;
}

unsigned bf_linktest_may_lose(const struct bf_run *run, unsigned n)
{
	double p = share_lost(run), mean = n * p;

	return p > 0 ? (unsigned)ceil(mean + SIGMAS * sqrt(mean * (1 - p))) : 0;
}

static void show_linktest(struct bf_run *run, const struct bf_linktest *t)
{
	struct bf_wire_remark remarks[2];
	size_t n;

	if (t->lost)
		bf_say(run, BF_EV_WARNING,
		       "%u of %u test messages were lost: look at cable, termination and ground",
		       t->lost, t->sent);
	n = bf_wire_remarks(run->wire.transport, t->mean, t->lost > 0, remarks);
	for (size_t i = 0; i < n; i++)
		bf_say(run, remarks[i].warning ? BF_EV_WARNING : BF_EV_NOTICE, "%s",
		       remarks[i].text);
}

/* ==== the rate ==== */
/* The fastest rate that works: agreed by going up the ladder and testing, left again at the end. */

#define PINGS  16 /* in a row, none lost that was not lost before: then a rate is trusted */
#define LISTEN BF_MS(1200) /* for other nodes, counted from when the bus was opened */
#define TRIES  3           /* of a change whose request may have got lost */

/* The fastest that the device offers below `limit` and above `floor`. */
static uint32_t best_below(const struct bf_run *run, uint32_t limit, uint32_t floor)
{
	uint32_t best = 0;

	for (size_t i = 0; i < BF_MAX_RATES && run->session.ident.rates[i]; i++) {
		uint32_t r = run->session.ident.rates[i];

		if (r < limit && r > floor && r > best)
			best = r;
	}
	return best;
}

uint32_t bf_rate_lower(const struct bf_run *run)
{
	if (run->job->baud || run->wire.rate <= run->wire.first_rate)
		return 0;
	if (best_below(run, run->wire.rate, run->wire.first_rate))
		return best_below(run, run->wire.rate, run->wire.first_rate);
	return run->wire.first_rate;
}

/* BF_E_LINK: both ends are back at the old rate. */
enum bf_rc bf_rate_change(struct bf_run *run, uint32_t rate, struct bf_err *err)
{
	enum bf_rc rc = BF_E_LINK;

	for (unsigned i = 0; i < TRIES && rc == BF_E_LINK; i++)
		rc = run->session.proto->ops->set_rate(run->session.proto, rate, err);
	if (rc)
		return bf_while(err, "changing the line to %u bit/s", rate);
	run->wire.rate = rate;
	return BF_OK;
}

void bf_rate_found(struct bf_run *run, uint32_t rate)
{
	run->wire.rate = run->wire.first_rate = rate;
}

void bf_rate_restarted(struct bf_run *run)
{
	if (run->session.proto->ops->default_rate)
		run->session.proto->ops->default_rate(run->session.proto);
	run->wire.rate = run->wire.first_rate;
}

/* Takes the rate, or leaves both ends at the one before. BF_E_LINK: it loses messages. */
static enum bf_rc try_rate(struct bf_run *run, uint32_t rate, struct bf_err *err)
{
	uint32_t old = run->wire.rate;
	struct bf_linktest t;

	if (bf_rate_change(run, rate, err))
		return err->rc;
	if (bf_linktest(run, PINGS, &t, err))
		return err->rc;
	if (t.lost <= bf_linktest_may_lose(run, t.sent)) {
		bf_say(run, BF_EV_NOTICE, "line agreed at %u bit/s, answers take %.1f ms", rate,
		       (double)t.mean / 1000);
		return BF_OK;
	}
	bf_say(run, BF_EV_NOTICE, "%u of %u test messages were lost at %u bit/s", t.lost, t.sent,
	       rate);
	if (bf_rate_change(run, old, err))
		return err->rc;
	return bf_fail(err, BF_E_LINK, "the line loses messages at %u bit/s", rate);
}

/* The rate that the user wants, 0: whatever works. A bus was given its rate when it was opened. */
static uint32_t pin(const struct bf_run *run)
{
	return run->wire.transport->ops->wire == BF_WIRE_BUS ? run->job->bitrate : run->job->baud;
}

static enum bf_rc pinned(struct bf_run *run, struct bf_err *err)
{
	if (pin(run) == run->wire.rate)
		return BF_OK;
	if (try_rate(run, pin(run), err)) {
		bf_do(err, "let the rate be agreed: leave --%s out",
		      bf_wire_rate_option(run->wire.transport->ops->wire));
		return err->rc;
	}
	return BF_OK;
}

/*
 * A node that keeps its bit rate destroys every frame at another one, and drives itself off the bus doing so:
 * an inverter beside the pack would be gone. Such nodes tell once a second that they live.
 */
static bool may_change(struct bf_run *run)
{
	uint64_t others;

	if (run->wire.transport->ops->wire != BF_WIRE_BUS ||
	    run->given.profile.can_change == BF_CAN_CHANGE_ALWAYS)
		return true;
	if (run->given.profile.can_change == BF_CAN_CHANGE_NEVER)
		return false;
	if (!bf_clock_until(run->clock, run->time.started + LISTEN))
		return false; /* cancelled: whoever asks next says so */
	others = bf_wire_of_others(run->wire.transport, &run->wire.first, run->wire.heard_first);
	if (others)
		bf_say(run, BF_EV_NOTICE,
		       "other nodes talk on '%s' (%llu frames): the bit rate stays as it is; a "
		       "pack that is "
		       "alone on its bus takes \"change-rate = always\" in its profile",
		       run->wire.transport->name, (unsigned long long)others);
	return !others;
}

static enum bf_rc climb(struct bf_run *run, struct bf_err *err)
{
	uint32_t rate = best_below(run, UINT32_MAX, run->wire.rate);

	if (rate && !may_change(run))
		return bf_run_stop(run, err);

	while (rate) {
		struct bf_err why;
		enum bf_rc rc = bf_run_stop(run, err);

		if (rc)
			return rc;
		bf_err_init(&why);
		rc = try_rate(run, rate, &why);
		if (!rc)
			return BF_OK;
		if (rc == BF_E_INTERRUPTED || rc == BF_E_GONE) {
			*err = why;
			return rc;
		}
		bf_say(run, BF_EV_NOTICE, "%u bit/s does not work here: %s", rate, why.cause);
		rate = best_below(run, rate, run->wire.rate);
	}
	return BF_OK;
}

enum bf_rc bf_ph_rate(struct bf_run *run, struct bf_err *err)
{
	if (!run->session.authenticated && run->session.proto->ops->connect &&
	    run->session.proto->ops->connect(run->session.proto, BF_ENTRY_READ, err))
		return bf_while(err, "preparing the pack for reading");
	if (bf_linktest(run, PINGS, &run->wire.line_before, err))
		return err->rc;
	show_linktest(run, &run->wire.line_before);
	if (bf_run_can(run, BF_CAP_RATES) && run->session.proto->ops->set_rate) {
		if (pin(run) ? pinned(run, err) : climb(run, err))
			return err->rc;
	}
	run->wire.agreed_rate = run->wire.rate;
	return BF_OK;
}

/* Best effort: a pack that is left at a high rate would not be found by the next program. */
void bf_rate_leave(struct bf_run *run)
{
	struct bf_err err;

	if (!run->session.proto || run->wire.rate == run->wire.first_rate || run->session.parted)
		return;
	bf_err_init(&err);
	if (bf_rate_change(run, run->wire.first_rate, &err) &&
	    run->session.proto->ops->default_rate)
		bf_rate_restarted(run);
}
