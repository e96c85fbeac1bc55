"""Tasks that do nothing, through Celery and Redis: what `./dev bench runs` compares with.

Usage: celery_noop.py REDIS_URL IN_FLIGHT SECONDS

Starts one worker with two processes, keeps IN_FLIGHT tasks under way for SECONDS, and prints the tasks a second. Results
are kept and fetched, as a caller that wants to know the outcome must; acks come late, as a step that may not be lost
needs.
"""

import subprocess
import sys
import time

from celery import Celery

app = Celery("celery_noop", broker=sys.argv[1] if len(sys.argv) > 1 else None)
app.conf.result_backend = app.conf.broker_url
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 8


@app.task(name="noop")
def noop():
    return 0


def main():
    url, in_flight, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_noop", "-b", url, "--result-backend", url, "worker", "-c", "2",
         "-l", "error", "--without-gossip", "--without-mingle", "--without-heartbeat"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        noop.delay().get(timeout=60)
        began = time.monotonic()
        done, waiting = 0, [noop.delay() for _ in range(in_flight)]
        while time.monotonic() - began < seconds:
            for at, result in enumerate(waiting):
                result.get(timeout=60)
                result.forget()
                done += 1
                waiting[at] = noop.delay()
        print(done / (time.monotonic() - began))
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main()
