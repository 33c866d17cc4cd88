"""A Dask scheduler and a worker of it in one process: `python scheduler_with_worker.py PORT`, until it is killed."""

from __future__ import annotations

import asyncio
import sys

from distributed import Scheduler, Worker


async def main(port: int) -> None:
    async with (
        Scheduler(host="127.0.0.1", port=port, dashboard=False) as scheduler,
        Worker(scheduler.address, nthreads=1) as worker,
    ):
        await worker.finished()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
