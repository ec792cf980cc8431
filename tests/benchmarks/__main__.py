"""All benchmarks: ratios against bare servers of the same kind on this machine, in this run.

python -m tests.benchmarks
"""

from tests.benchmarks import lending, mail, visits

AIMS = {
    "visits": "0.6 of bare aiohttp's requests/s (0.5 at least), p99 at most 3 times; "
    "p95 under 50 ms at 200 a second",
    "lending": "a batch of visits under 1 ms in Valkey, with 10 000 numbers",
    "mail": "0.6 of bare aiosmtpd's letters/s (0.5 at least)",
}


def main() -> None:
    for benchmark in (visits, lending, mail):
        result = benchmark.main()
        print(f"  aim: {AIMS[result['benchmark']]}", flush=True)


if __name__ == "__main__":
    main()
