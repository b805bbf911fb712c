"""The tasks of `pipeline.yaml`, built by Ploomber with Papermill. The only module that knows either engine.

Ploomber decides from notebooks, parameters and upstream tasks what is out of date; what else counts,
such as the code of the package, is in `stamps`.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import yaml
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError

from workbench.errors import PipelineError
from workbench.reports import parameters

os.environ["PLOOMBER_STATS_ENABLED"] = "false"  # read when it is imported; it would report usage
os.environ["PLOOMBER_VERSION_CHECK_DISABLED"] = "true"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies, of things deprecated
    from papermill.exceptions import PapermillExecutionError
    from papermill.iorw import local_file_io_cwd
    from ploomber.constants import TaskStatus
    from ploomber.spec import DAGSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SPEC: Final = "pipeline.yaml"
_DEFAULTS: Final = "env.yaml"


class Pipeline:
    """The tasks of one `pipeline.yaml` with one set of parameters. Tasks may be built in several threads.

    Ploomber and Papermill take relative paths from the working directory: it must be the project's.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        """Read the tasks; nothing runs.

        Args:
            values: What to put over the values of `env.yaml`.

        Raises:
            InvalidArgument: A notebook does not declare a parameter that it would get.
            PipelineError: A file is missing, or does not say how to build the tasks.
        """
        self._dag = _dag(values)
        self.names: tuple[str, ...] = tuple(self._dag)

    def upstream(self, name: str) -> frozenset[str]:
        """Return the tasks that a task builds directly on."""
        return frozenset(self._dag[name].upstream)

    def lineage(self, name: str) -> frozenset[str]:
        """Return a task and all that it builds on, however far up.

        Raises:
            PipelineError: There is no such task.
        """
        if name not in self.names:
            raise PipelineError(f"no task {name!r}: there are {', '.join(self.names)}")
        return frozenset({name}).union(*(self.lineage(above) for above in self.upstream(name)))

    def is_current(self, name: str) -> bool:
        """Tell whether notebook, parameters and upstream of a task are what its products were made from."""
        return bool(self._dag[name].exec_status is TaskStatus.Skipped)

    def source(self, name: str) -> Path:
        """Return the notebook of a task, as it is written."""
        return Path(self._dag[name].source.loc)

    def notebook(self, name: str) -> Path:
        """Return the executed notebook of a task: complete, or partial after a failure."""
        return Path(str(self._dag[name].product["nb"]))

    def build(self, name: str) -> None:
        """Execute the notebook of a task, whose upstream tasks must be built; for a thread without event loop.

        Raises:
            PipelineError: A cell failed, the kernel died, or a product is missing.
        """
        task = self._dag[name]
        task.executor_params.update(kernel_manager_class=Kernel, shutdown_kernel="immediate", progress_bar=False)
        try:
            task.build(force=True)
        except Exception as error:
            raise PipelineError(explained(error)) from error
        finally:
            ensure_event_loop().close()  # the thread's own, which Jupyter's clients leave open


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what Ploomber warns about, such as that a notebook does not use its `upstream`.

    Warnings belong to the process: it is for the thread that starts the others, around all of their work.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def one_folder() -> Iterator[None]:
    """Have Papermill read and write in the working directory, around the work of all threads.

    Papermill keeps its folder for the whole process, and each notebook puts back the one it found. Of two at
    once, the one that ends last would leave the folder of its own project behind, for a run of another.
    """
    with local_file_io_cwd():
        yield


class Kernel(AsyncKernelManager):
    """A kernel that leaves no process behind, and that another thread than the waiting one can kill."""

    groups: ClassVar[dict[Kernel, int]] = {}
    """Process groups of the kernels that run now."""

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override] # noqa: ANN401
        """Start it in a process group of its own. What is said to it is encrypted where it can be.

        What programs write past the notebook, which captures what it can of that, goes nowhere: nobody masks it.
        """
        self.transport_encryption = "auto"
        options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await super().start_kernel(**options)
        self.groups[self] = getattr(self.provisioner, "pgid")  # noqa: B009 - a local one has it

    async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
        """End what it may have started and left."""
        await super().cleanup_resources(restart=restart)
        _kill(self.groups.pop(self, None))

    @classmethod
    def kill_all(cls) -> None:
        """End every kernel that this process started; who waits for one gets an error."""
        for group in list(cls.groups.values()):
            _kill(group)


def _kill(group: int | None) -> None:
    if group is not None:
        with suppress(ProcessLookupError):  # all of it has ended
            os.killpg(group, signal.SIGKILL)


def defaults() -> dict[str, Any]:
    """Return the values of `env.yaml`."""
    return _read(_DEFAULTS)


def _dag(values: Mapping[str, object]) -> Any:  # noqa: ANN401 - Ploomber has no types
    values = defaults() | dict(values)
    for task in _read(SPEC).get("tasks", []):
        names = task.get("params", {})
        parameters.check(Path(task["source"]), {name: values.get(name) for name in names})
    with quiet():
        return _spec(values)


def _spec(values: Mapping[str, object]) -> Any:  # noqa: ANN401
    try:
        spec = DAGSpec(SPEC, env={name: value for name, value in values.items() if name == "products"})
        for task in spec["tasks"]:
            # Ploomber makes a number of a text that looks like one: take the values as they are.
            task["params"].update({name: values[name] for name in task["params"] if name in values})
        return spec.to_dag().render(show_progress=False)
    except Exception as error:
        raise PipelineError(f"{SPEC} cannot be used: {error}") from error


def _read(file: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise PipelineError(f"{Path(file).absolute()} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise PipelineError(f"{Path(file).absolute()} holds a {type(content).__name__}, not names with values")
    return content


def explained(error: BaseException) -> str:
    """Say which cell failed and how, from under Ploomber's wrappings."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    for link in chain:
        if isinstance(link, PapermillExecutionError):
            return f"cell [{link.exec_count}] raised {link.ename}: {link.evalue}"
        if isinstance(link, DeadKernelError):
            return "its kernel died: it was killed, or the machine has too little memory"
    return str(error)


for name in ("ploomber", "papermill"):
    logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is raised, and said once
