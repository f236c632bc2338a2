"""What the figures were measured on."""

import os
import platform
import statistics
import subprocess
import time


def _field(path, name):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return "unknown"


def fsync_ms(folder):
    """Median time of a write of 8 kB with fdatasync."""
    path = os.path.join(folder, "fsync")
    times = []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for i in range(100):
            begin = time.monotonic()
            os.pwrite(fd, b"\0" * 8192, i % 16 * 8192)
            os.fdatasync(fd)
            times.append((time.monotonic() - begin) * 1000)
    finally:
        os.close(fd)
        os.unlink(path)
    return statistics.median(times)


def revision(folder):
    result = subprocess.run(["git", "-c", "safe.directory=*", "-C", folder,
                             "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False)
    return result.stdout.strip() or "unknown"


def collect(server, folder):
    memory_kb = _field("/proc/meminfo", "MemTotal").split()[0]
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory_kb) / 1024 / 1024),
        "kernel": platform.release(),
        "server": server.version,
        "fsync_ms": round(fsync_ms(server.base), 2),
        "fsync": "on" if server.fsync else "off",
        "dbmazz": revision(folder),
    }


def sentence(conditions, runs):
    return (f"{conditions['cpu']}, {conditions['cores']} cores, "
            f"{conditions['memory_gb']} GB, Linux {conditions['kernel']}, "
            f"{conditions['server']}, fsync {conditions['fsync']} "
            f"({conditions['fsync_ms']:.2f} ms for 8 kB); "
            + (f"medians of {runs} runs." if runs > 1 else "one run."))
