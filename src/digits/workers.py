"""Several members at a time: on this machine's cores, or on the machines of a Dask cluster."""

import threading

from joblib import Parallel, delayed

from digits.member import TrainingError, kill_children, train_member


def train_at_once(members: list[dict], jobs: int, dask: str | None) -> None:
    """Trains all members, given as arguments of `train_member`. Results pass through their folders.

    jobs: how many at a time here, each with its part of the cores; dask: the address of a scheduler
    whose workers see the same folders. Raises TrainingError.
    """
    if dask:
        _train_on_cluster(members, dask)
        return
    from plaidkeras.processor import usable_cores

    jobs, failed = min(jobs, len(members)), threading.Event()
    cores = max(1, usable_cores() // jobs) if jobs > 1 else None

    def train(member: dict) -> None:
        if failed.is_set():  # one that waited for its turn is not begun any more
            return
        try:
            train_member(**member, cores=cores)
        except BaseException:
            failed.set()
            raise

    try:  # threads: each only waits for the process that PlaidML runs in
        Parallel(n_jobs=jobs, prefer="threads")(delayed(train)(member) for member in members)
    except BaseException:  # above all Ctrl-C, which only this thread hears
        kill_children()
        raise


def workers_of(jobs: int, dask: str | None) -> int:
    """How many members are trained at a time. Raises TrainingError if no cluster answers."""
    if dask is None:
        return jobs
    with _cluster(dask) as client:
        return max(1, sum(client.nthreads().values()))


def _train_on_cluster(members: list[dict], address: str) -> None:
    """By Dask's own interface: joblib's trains here, unasked, where it counts a single worker. A member
    whose worker dies goes to another, which finds in the folder how far it was."""
    from concurrent.futures import CancelledError

    with _cluster(address) as client:
        from distributed import KilledWorker
        try:
            client.gather([client.submit(train_member, **member, pure=False) for member in members])
        except (CancelledError, KilledWorker, OSError) as error:
            raise TrainingError(f"--dask {address}: the cluster was lost ({type(error).__name__}). The same "
                                "command goes on from the last finished epochs") from None


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
