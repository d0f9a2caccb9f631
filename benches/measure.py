"""What the benchmarks over sockets have in common: the processor time and memory of processes, tables, verdicts."""

import os
import pathlib
import platform
import re
import statistics
import subprocess

TICKS = os.sysconf("SC_CLK_TCK")
_verdicts = []


def family(pid):
    """A process and its descendants."""
    processes = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            processes += family(int(child))
    return processes


def cpu(pid):
    """Seconds of user and system time of a process."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) / TICKS


def memory(pid, line="VmRSS"):
    """Bytes of a line in the status of a process."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{line}:\s+(\d+) kB", status)[1]) * 1024


def machine(lock, *crates):
    """Lines about what was measured on, with the versions of crates in a Cargo.lock."""
    model = re.search(r"model name\s+: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.split()[1]
    lock = lock.read_text()
    versions = ", ".join(f"{name} " + re.search(rf'name = "{name}"\nversion = "([^"]+)"', lock)[1] for name in crates)
    cores = f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}"
    return f"{cores}, Linux {platform.release()}, rustc {rustc},\n{versions}"


def print_table(heads, rows):
    print("| " + " | ".join(heads) + " |")
    print("|---|" + "--:|" * (len(heads) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print(flush=True)


def judge(what, at_most, measured, of=statistics.median, form=".2f"):
    """Notes whether a budget is met by what each round has measured."""
    value = of(measured)
    spread = f"{min(measured):{form}} to {max(measured):{form}}" if len(measured) > 1 else "one round"
    verdict = "met" if value <= at_most else "missed"
    _verdicts.append([what, f"{at_most:g}", f"{value:{form}}", spread, verdict])


def print_verdicts():
    if _verdicts:
        print("## Budgets over sockets\n")
        print_table(["what", "at most", "measured", "between rounds", "verdict"], _verdicts)
