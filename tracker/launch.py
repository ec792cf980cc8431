"""Becomes another program, one that ends when the process that started it ends.

Run as a script by `tracker.processes`: `python launch.py PARENT SIGNAL USER PROGRAM …`.
It takes on the user, asks the kernel for SIGNAL at the parent's death (Linux, prctl(2)) and
then is replaced by PROGRAM, whose process id is therefore the launcher's. A script of its
own, because such steps between fork and exec are not safe in a process with threads; it
imports nothing of ours.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_RUN = 127  # what a shell answers


def main() -> None:
    parent, at_death, user, *command = sys.argv[1:]
    if user:
        become(user)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(at_death), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(CANNOT_RUN)  # it died before the kernel was asked
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it; programs do not
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be run: {error.strerror}\n")
        sys.exit(CANNOT_RUN)


def become(user: str) -> None:
    """Go on as this user; there is no way back."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main()
