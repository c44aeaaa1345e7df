"""Several members at a time: on this machine's cores, or on the machines of a Dask cluster."""

import os
import threading

from joblib import Parallel, delayed, parallel_config

from digits.member import TrainingError, train_member


def train_at_once(members: list[dict], jobs: int, dask: str | None) -> None:
    """Trains all members, given as arguments of `train_member`. Results pass through their folders.

    jobs: how many at a time here, each with its part of the cores; dask: the address of a scheduler
    whose workers see the same folders. Raises TrainingError.
    """
    if dask:
        with _cluster(dask), parallel_config(backend="dask"):
            Parallel()(delayed(train_member)(**member) for member in members)
        return
    cores, failed = max(1, available_cores() // jobs), threading.Event()

    def train(member: dict) -> None:
        if failed.is_set():  # one that waited for its turn is not begun any more
            return
        try:
            train_member(**member, cores=cores)
        except BaseException:
            failed.set()
            raise

    # Threads: each only waits for the process that PlaidML runs in.
    Parallel(n_jobs=jobs, prefer="threads")(delayed(train)(member) for member in members)


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cluster(address: str):
    try:
        from distributed import Client
    except ImportError:
        raise TrainingError("--dask needs the extra of that name; install it with: "
                            "pip install 'plaidml-report[dask]'") from None
    try:
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise TrainingError(f"--dask {address}: no scheduler answers there ({error}); start one with: "
                            "dask scheduler") from None
