"""The stage of the benchmarks: a PostgreSQL that syncs to disk, servers in processes."""

import asyncio
import contextlib
import multiprocessing
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from tracker import db, embedded


@contextlib.contextmanager
def serving(target: Any, *arguments: Any) -> Iterator[int]:
    """A server in a process of its own; its port."""
    told, tell = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=target, args=(*arguments, tell), daemon=True)
    process.start()
    try:
        yield told.recv()
    finally:
        process.kill()
        process.join()


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL that syncs to disk, as in production; its address."""
    folder = Path(tempfile.mkdtemp(prefix="skvoz-bench-"))
    user, programs = embedded.postgres_user(), embedded.postgres_programs()
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        embedded.let_in(programs, user)
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
        user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-c", "listen_addresses=",
         "-c", f"unix_socket_directories={folder}", "-c", "shared_buffers=128MB"],
        user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        process.send_signal(3)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def connected(url: str) -> tuple[db.Connection, datetime]:
    """A connection to the tables of this release, and the moment of it."""
    for _ in range(200):
        try:
            connection = await asyncpg.connect(url)
            break
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.05)
    await db.migrate(connection)
    await db.prepare(connection)
    now = datetime.now(UTC)
    await db.partition(connection, since=now - timedelta(days=1), until=now)
    return connection, now
