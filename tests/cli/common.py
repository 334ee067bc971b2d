# SPDX-License-Identifier: MIT
"""What the tests of the built binary share: run it, read its events, check them against the schema."""
import fcntl
import glob
import json
import os
import select
import shlex
import subprocess
import tempfile
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(TESTS)
DATA = os.path.join(TESTS, "data")
BIN = os.environ["BMSFLASH"]
SIM = os.environ.get("BMSFLASH_SIM")
TRANSPORTS = os.environ.get("BMSFLASH_TRANSPORTS", "rs485,can,usb,sim").split(",")
PROTOCOLS = os.environ.get("BMSFLASH_PROTOCOLS", "uds,dfu").split(",")
VIRTUAL_UDS = "sim" in TRANSPORTS and "uds" in PROTOCOLS
NEEDS_VIRTUAL_UDS = "built without the virtual pack or without UDS"
SANITIZED = os.environ.get("BMSFLASH_SANITIZED") == "true"
MCUBOOT = os.path.join(DATA, "mcuboot")
FIRMWARE = os.path.join(DATA, "firmware")
KEY = os.path.join(MCUBOOT, "release.pub.pem")
OTHER_KEY = os.path.join(MCUBOOT, "other.pub.pem")

try:
    import jsonschema

    with open(os.path.join(ROOT, "data", "bmsflash-events.schema.json"), encoding="utf-8") as f:
        VALIDATOR = jsonschema.Draft7Validator(json.load(f))
except ImportError:
    VALIDATOR = None


def image(name):
    return os.path.join(MCUBOOT, name)


class Run:
    """One finished run: status, text of both outputs, events when --json was given."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout.decode("utf-8")
        self.err = done.stderr.decode("utf-8")
        self.events = []
        if self.out.startswith("{"):
            self.events = [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self):
        return self.events[-1]

    def of(self, kind):
        return [e for e in self.events if e["event"] == kind]


PROGRAMS = {"bmsflash", "bmsflash-sim", "sudo", "tar", "ls", "cat", "ip", "lsusb", "minisign", "sha256sum", "kill", "echo",
            "chmod", "man", "df", "modprobe"}


def options():
    """Of each command, by name: {"flash": {"--if", "-i", ...}}."""
    if not hasattr(options, "table"):
        table = json.loads(subprocess.run([os.environ["BMSFLASH_GEN_CLI"], "json"], check=True,
                                          stdout=subprocess.PIPE).stdout)
        options.table = {name: set() for name in table["commands"]}
        for option in table["options"]:
            for name in option["commands"]:
                options.table[name] |= {"--" + option["name"], "-" + str(option.get("brief"))}
    return options.table


TYPED = set()  # commands that were printed and judged by this program


def refused_by_shell(line):
    """None, or what a shell says of it when it is typed, with --help behind it so that nothing is done."""
    function = f'bmsflash() {{ "{BIN}" "$@"; }}; '
    done = subprocess.run(["sh", "-c", function + line.split(" # ")[0] + " --help"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, check=False)
    return done.stderr.decode() if done.returncode else None


def wrong_command(line):
    """None, or why a printed command is none that can be typed as it stands."""
    TYPED.add(line)
    if line.startswith("bmsflash ") and " && " not in line:
        said = refused_by_shell(line)
        if said:
            return said
    if subprocess.run(["sh", "-n", "-c", line], stderr=subprocess.DEVNULL, check=False).returncode:
        return "a shell does not take it"
    for part in line.split(" && "):
        words = shlex.split(part, comments=True)
        if not words or words[0] not in PROGRAMS:
            return "it begins with no program"
        if words[0] != "bmsflash" or words[1:] == ["--help"]:
            continue
        if words[1] not in options():
            return "bmsflash has no such command"
        unknown = [w for w in words[2:] if w.startswith("-") and w.split("=")[0] not in options()[words[1]] | {"--help"}]
        if unknown:
            return f"'{words[1]}' has no {unknown[0]}"
        if {"FILE", "IFACE", "BACKUP", "ADDR"} & set(words):
            return "it has a placeholder"
    return None


class Case(unittest.TestCase):
    """A test with folders of its own; nothing of the user's is read or written."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="bmsflash-")
        self.dir = self.folder.name
        os.mkdir(os.path.join(self.dir, "run"))
        self.env = dict(os.environ, HOME=self.dir, XDG_CONFIG_HOME=self.dir + "/config",
                        XDG_STATE_HOME=self.dir + "/state", XDG_RUNTIME_DIR=self.dir + "/run",
                        LC_ALL="C.UTF-8")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_it(self, *words, timeout=120, **kwargs):
        done = subprocess.run([BIN, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.env, timeout=timeout, check=False, **kwargs)
        return Run(done)

    def run_json(self, *words, **kwargs):
        run = self.run_it(*words, "--json", **kwargs)
        self.check_events(run)
        return run

    def check_events(self, run):
        self.assertTrue(run.events, f"no events; standard error: {run.err}")
        self.assertEqual(run.events[-1]["event"], "result")
        self.assertEqual(len(run.of("result")), 1)
        self.assertEqual(run.result["status"], run.status)
        command = run.result.get("error", {}).get("next")
        if command:
            self.assertIsNone(wrong_command(command), command)
        if VALIDATOR is None:
            return
        for event in run.events:
            problems = list(VALIDATOR.iter_errors(event))
            if problems:
                best = jsonschema.exceptions.best_match(problems)
                self.fail(f"{json.dumps(event)}: {best.message} (context: {[c.message for c in best.context][:20]})")

    def expect(self, run, status):
        self.assertEqual(run.status, status, f"\nstdout: {run.out}\nstderr: {run.err}")


def untroubled(port):
    """The port, once no bmsflash is at work on it: one of another test may still wait for the pack of a pty that is gone,
    and the system gives its name away again."""
    name = os.path.realpath(port).replace("/", "_")
    until = time.monotonic() + 100
    for path in glob.glob(f"/run/lock/bmsflash-{name}-*.lock"):
        while time.monotonic() < until:
            try:
                with open(path, "rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
            except OSError:
                break
    return port


class OnPty(Case):
    """A pack of bmsflash-sim on a pseudo-terminal, in real time."""

    def serve(self, *keys):
        """Starts bmsflash-sim on a pty; returns the path of the port."""
        link = self.path("port")
        words = [SIM, "--pty", "--link", link, "--state", self.path("pack.flash"), *keys]
        pack = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=self.env)
        self.addCleanup(self.stop, pack)
        ready, _, _ = select.select([pack.stdout], [], [], 20)
        self.assertTrue(ready, "bmsflash-sim said nothing")
        self.assertTrue(pack.stdout.readline())
        self.assertTrue(os.path.exists(link))
        return untroubled(link)

    def stop(self, pack):
        pack.terminate()
        pack.wait(20)
        pack.stdout.close()
        pack.stderr.close()


def main():
    done = unittest.main(verbosity=2, exit=False)
    print(f"printed commands typed: {len(TYPED)}")
    raise SystemExit(not done.result.wasSuccessful())
